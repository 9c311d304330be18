import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { commandsIn } from '../running-platform.ts'
import { bothAnswer } from '../steady-load.ts'

const root = mkdtempSync(join(tmpdir(), 'msvc-away-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const AUTH = 'auth: { mode: token, key_file: ../signing.json }\n'
/** The folder `own` is where they run, and nowhere else. @param elsewhere addresses by registered name */
const services = (elsewhere: Readonly<Record<string, string>> = {}) => `services:
  echo:
    run: [${process.execPath}, echo.mjs]
    dir: ./own
    ready: http /health
    route: { path: /echo, methods: { GET: public }, strip: true }
  receiver:
    run: [${process.execPath}, receiver.mjs]
    dir: ./own
    ready: http /health
    needs: [broker, echo]
    receives: { shop.sold: { to: /sold } }
  job:
    run: ["true"]
    dir: ./own
    restart: never
  elsewhere:
    run: nothing
    dir: ./not-here
    env: { NOT: "\${NOT_HERE}" }
${Object.entries(elsewhere)
  .map(([name, url]) => `  ${name}: ${url}\n`)
  .join('')}`

function folderOf(name: string): string {
  const folder = join(root, name)
  mkdirSync(folder)
  return folder
}

interface Entry {
  readonly message: string
  readonly metadata: { readonly from: string; readonly echo: string }
}

it('runs services in several places away from their platform: they are routed to, delivered to, and heard of', {
  timeout: 120_000,
}, async () => {
  const platform = commandsIn(folderOf('platform'), `${AUTH}${services()}`)
  await platform.msvc('data', 'keys', 'new', '--out', '../signing.json')
  const roles = ['registry', 'log-server', 'broker', 'user', 'order', 'gateway']
  await using up = await platform.up('data', '--in-process', '--only', roles.join())
  const where = Object.fromEntries(['registry', 'log-server', 'broker'].map((role) => [role, up.url(role)]))

  const place = (name: string) => {
    const folder = folderOf(name)
    mkdirSync(join(folder, 'own'))
    for (const file of ['echo.mjs', 'receiver.mjs'])
      copyFileSync(join(import.meta.dirname, file), join(folder, 'own', file))
    const listens = 'up: { host: 0.0.0.0, advertise: 127.0.0.1 }\n'
    return commandsIn(folder, `${AUTH}${listens}${services(where)}`)
  }
  const away = (there: ReturnType<typeof place>, only = 'echo,receiver') =>
    there.up('data', '--in-process', '--only', only)
  await using _one = await away(place('one'))
  await using other = await away(place('other'))
  const third = place('third')
  await using _job = await away(third, 'job')
  const listed = async () => {
    const { units } = JSON.parse(await third.msvc('data', 'ps', '--json'))
    return units.map(({ unit, state }: { unit: string; state: string }) => `${unit} ${state}`)
  }
  await expect.poll(listed, { timeout: 20_000, interval: 200 }).toEqual(['outbound ready', 'job finished'])
  await bothAnswer(`${up.url('gateway')}/echo/`)

  const publish = async (text: string) => platform.msvc('data', 'publish', 'shop.sold', JSON.stringify(text))
  const received = async (): Promise<readonly Entry[]> => {
    const lines = (await platform.msvc('data', 'logs', 'receiver', '--json')).trim().split('\n')
    return lines.filter(Boolean).map((line) => JSON.parse(line))
  }
  const texts = async () => (await received()).map(({ message }) => message)
  const until = { timeout: 40_000, interval: 200 }
  const some = Array.from({ length: 12 }, (_, index) => `one of ${index}`)
  for (const text of some) await publish(text)
  await expect.poll(texts, until).toEqual(expect.arrayContaining(some.map((text) => `received "${text}"`)))
  // the broker's own token
  expect(new Set((await received()).map(({ metadata }) => metadata.from))).toEqual(new Set(['broker']))
  // and a call by a door of the place to either echo, whichever it has found first
  const echoes = async () => {
    await publish('one more')
    return new Set((await received()).map(({ metadata }) => metadata.echo)).size
  }
  await expect.poll(echoes, until).toBe(2)

  await other.kill()
  await publish('after one is gone')
  await publish('and another')
  await expect
    .poll(texts, until)
    .toEqual(expect.arrayContaining(['received "after one is gone"', 'received "and another"']))
})
