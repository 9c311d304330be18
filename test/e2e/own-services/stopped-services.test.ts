import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { commandsIn } from '../running-platform.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-stopped-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const read = (name: string) => {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return ''
  }
}
const isAlive = (pid: string) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const WORKER = '{ run: sleep 300, ready: none, watch: ["*.py"]'
const LOOK = { timeout: 60_000, interval: 100 }
const Listed = z.object({ units: z.array(z.object({ unit: z.string(), state: z.string(), pid: z.int().nullable() })) })

it('stay stopped when their files change, and leave no build behind', { timeout: 300_000 }, async () => {
  write('a.py', '1')
  const built = `${WORKER}, build: cat a.py >> built }`
  const building = 'run: sleep 300, ready: none, build: echo $$ > building; exec sleep 4321'
  const { msvc, up, configure } = commandsIn(
    folder,
    `services:\n  a: ${built}\n  b: ${WORKER} }\n  c: { ${building} }\n`,
  )
  await using _ = await up('data', '--only', 'registry,a,b,c')
  const unitOf = async (name: string) =>
    Listed.parse(JSON.parse(await msvc('data', 'ps', '--json'))).units.find(({ unit }) => unit === name)
  const stateOf = async (name: string) => (await unitOf(name))?.state
  const pidOf = async (name: string) => (await unitOf(name))?.pid
  await vi.waitUntil(() => read('built') === '1' && read('building').endsWith('\n'), LOOK)
  const build = read('building').trim()
  expect(isAlive(build)).toBe(true)

  await msvc('data', 'stop', 'a')
  const before = await pidOf('b')
  write('a.py', '2')
  // b is restarted for the same change, after a would have been
  await vi.waitUntil(async () => (await pidOf('b')) !== before, LOOK)
  expect(await stateOf('a')).toBe('stopped')
  expect(read('built')).toBe('1')
  await msvc('data', 'start', 'a')
  expect(read('built')).toBe('12')

  await msvc('data', 'stop', 'c')
  await vi.waitUntil(() => !isAlive(build), LOOK)
  configure(`services:\n  a: ${built}\n  b: ${WORKER} }\n`)
  await msvc('data', 'apply')
  expect(await stateOf('c')).toBeUndefined()
})
