import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { commandsIn } from '../running-platform.ts'
import { answering, bothAnswer, failed, load } from '../steady-load.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-blocked-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
copyFileSync(join(import.meta.dirname, 'echo.mjs'), join(folder, 'echo.mjs'))

const { msvc, up } = commandsIn(
  folder,
  `services:
  echo:
    run: [${process.execPath}, echo.mjs]
    ready: http /health
    replicas: 2
    route: { path: /echo, methods: { GET: public }, strip: true }
`,
)

const Listed = z.object({
  units: z.array(
    z.object({
      unit: z.string(),
      state: z.string(),
      pid: z.int().nullable(),
      restarts: z.int().nullable(),
      url: z.string().nullable(),
    }),
  ),
})
const LOOK = { timeout: 30_000, interval: 200 }

it('leaves a service that is blocked for 20 s alone, and sends its requests to the other', {
  timeout: 150_000,
}, async () => {
  await using platform = await up('data', '--only', 'registry,gateway,echo')
  const echo = async () =>
    Listed.parse(JSON.parse(await msvc('data', 'ps', '--json'))).units.find(({ unit }) => unit === 'echo')
  const url = `${platform.url('gateway')}/echo/`
  await bothAnswer(url)
  const blocked = await echo()
  await (await fetch(`${blocked?.url}/block?ms=20000`)).text()
  const blockedAt = Date.now()
  await vi.waitUntil(async () => (await echo())?.state === 'silent', LOOK)
  const { answers, stop } = load(url, 50)
  await vi.waitUntil(() => Date.now() - blockedAt > 18_000, { timeout: 30_000 })
  await stop()
  expect(failed(answers)).toEqual([])
  // what is asked later may wait on a busy machine until nobody is blocked any more
  const meanwhile = answers.filter(({ at }) => at < blockedAt + 15_000)
  expect(meanwhile.length).toBeGreaterThan(100)
  expect(answering(meanwhile, 0).size).toBe(1)
  await vi.waitUntil(async () => (await echo())?.state === 'ready', LOOK)
  expect(await echo()).toMatchObject({ pid: blocked?.pid, restarts: 0 })
  await bothAnswer(url)
})
