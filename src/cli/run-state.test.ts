import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createStateFile, type RunState, readRunState } from './run-state.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-state-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const state = (pid: number): RunState => ({
  pid,
  roles: [{ unit: 'user', role: 'user', service: 'user-service', url: 'http://127.0.0.1:1', pid }],
})
const alive = () => true

it('tells what runs, the latest of what was saved', async () => {
  const file = createStateFile(join(data, 'fresh'))
  for (const pid of [1, 2, 3]) file.save(state(pid))
  await file.written()
  expect(await readRunState(join(data, 'fresh'), alive)).toEqual(state(3))
  expect(readdirSync(join(data, 'fresh'))).toEqual(['run.json'])
})

it('leaves no file behind, also when something is saved late', async () => {
  const file = createStateFile(data)
  file.save(state(1))
  await file.remove()
  file.save(state(2))
  await file.written()
  expect(readdirSync(data)).toEqual([])
})

it('does not believe a file whose process is gone, or that is broken', async () => {
  const file = createStateFile(data)
  file.save(state(1))
  await file.written()
  expect(await readRunState(data, () => false)).toBeUndefined()
  writeFileSync(join(data, 'run.json'), '{"pid":')
  expect(await readRunState(data, alive)).toBeUndefined()
  expect(await readRunState(join(data, 'none'), alive)).toBeUndefined()
})
