import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createStateFile, type RunState, readRunState, readRunStates, servedFile } from './run-state.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-state-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const state = (pid: number): RunState => ({
  portless: [],
  starting: [],
  units: [],
  pid,
  environment: 'production',
  auth: { mode: 'token', issuer: 'msvc' },
  roles: [{ unit: 'user', role: 'user', service: 'user-service', url: 'http://127.0.0.1:1', state: 'ready', pid }],
})

const fail = (words: string) => expect.unreachable(words)

it('tells what runs, the latest of what was saved', async () => {
  const file = await createStateFile(join(data, 'fresh'), fail)
  for (const pid of [1, 2, 3]) file.save(state(pid))
  await file.written()
  expect(await readRunState(join(data, 'fresh'))).toEqual(state(3))
  expect(readdirSync(join(data, 'fresh'))).toEqual(['run.json', 'run.lock'])
  await file.remove()
})

it('leaves no file behind, also when something is saved late', async () => {
  const file = await createStateFile(data, fail)
  file.save(state(1))
  await file.remove()
  file.save(state(2))
  await file.written()
  expect(readdirSync(data)).toEqual([])
})

it('does not believe a file whose process is gone, one that came with a copy of the folder, or that is broken', async () => {
  const file = await createStateFile(data, fail)
  file.save(state(process.pid))
  await file.written()
  const copy = join(data, 'copy')
  mkdirSync(copy, { mode: 0o700 })
  for (const name of ['run.json', 'run.lock']) copyFileSync(join(data, name), join(copy, name))
  expect([await readRunState(data), await readRunState(copy)]).toEqual([state(process.pid), undefined])
  await expect(createStateFile(data, fail)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining(`a platform runs on ${data} already (process ${process.pid})`),
  })
  const own = await createStateFile(copy, fail)
  expect(readdirSync(copy)).toEqual(['run.lock'])
  await own.remove()
  writeFileSync(join(data, 'run.json'), '{"pid":')
  expect(await readRunState(data)).toBeUndefined()
  expect(await readRunState(join(data, 'none'))).toBeUndefined()
  await file.remove()
})

it('tells of all that runs, what is served role by role too', async () => {
  const names = [servedFile('user', 8001), servedFile('user', 8101)]
  const files = await Promise.all(names.map((name) => createStateFile(data, fail, name)))
  for (const [index, file] of files.entries()) file.save(state(index + 1))
  await Promise.all(files.map((file) => file.written()))
  writeFileSync(join(data, servedFile('order', 8002)), '{')
  writeFileSync(join(data, 'run-notes.txt'), '')
  expect(await readRunState(data)).toBeUndefined()
  expect(await readRunStates(data)).toEqual([state(1), state(2)])
  const up = await createStateFile(data, fail)
  up.save(state(3))
  await up.written()
  expect(await readRunStates(data)).toEqual([state(3), state(1), state(2)])
  expect(await readRunStates(join(data, 'none'))).toEqual([])
  for (const file of [...files, up]) await file.remove()
})

it('does not take a folder that it may not look into for one where nothing runs', async () => {
  writeFileSync(join(data, 'file'), '')
  mkdirSync(join(data, 'odd', 'run.json'), { recursive: true })
  for (const folder of ['file', 'odd']) {
    await expect(readRunStates(join(data, folder))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('--data'),
    })
  }
})

it('reads no file that never ends, or is larger than any that was written', async () => {
  execFileSync('mkfifo', [join(data, 'run.json')])
  await expect(readRunState(data)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  rmSync(join(data, 'run.json'))
  writeFileSync(join(data, 'run.json'), ' '.repeat(2_000_000))
  expect(await readRunState(data)).toBeUndefined()
})

it('goes on trying to write it, and says so once', async () => {
  const told: string[] = []
  const file = await createStateFile(data, (words) => told.push(words))
  // in the way, as a full disk is
  const inTheWay = join(data, 'run.json.new')
  mkdirSync(inTheWay)
  file.save(state(7))
  await file.written()
  file.save(state(7))
  await file.written()
  expect(told).toEqual([expect.stringMatching(/run\.json, by which commands find what runs here, can't be written: /)])
  rmdirSync(inTheWay)
  await vi.waitFor(() => expect(JSON.parse(readFileSync(join(data, 'run.json'), 'utf8'))).toMatchObject({ pid: 7 }), {
    timeout: 20_000,
  })
  await file.remove()
})
