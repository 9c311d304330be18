import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isLocked, takeLock } from './file-lock.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-lock-'))
  path = join(folder, 'run.lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('is held by one, until he lets go', () => {
  expect(isLocked(path)).toBe(false)
  const lock = takeLock(path)
  expect([isLocked(path), takeLock(path)]).toEqual([true, undefined])
  lock?.release()
  lock?.release()
  expect([isLocked(path), existsSync(path)]).toEqual([false, false])
  const next = takeLock(path)
  expect(isLocked(path)).toBe(true)
  next?.release()
})

it('does not go with a copy, and a file that was left over holds nothing', () => {
  const lock = takeLock(path)
  const copy = join(folder, 'copy.lock')
  cpSync(path, copy)
  expect([isLocked(copy), isLocked(path)]).toEqual([false, true])
  writeFileSync(copy, 'what somebody wrote into it')
  expect(isLocked(copy)).toBe(false)
  lock?.release()
})

it('ends with the process that holds it, however that ends', async () => {
  const code = `const { takeLock } = await import(${JSON.stringify(import.meta.resolve('./file-lock.ts'))})
    takeLock(${JSON.stringify(path)}); console.log('taken'); setInterval(() => {}, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  expect([isLocked(path), takeLock(path)]).toEqual([true, undefined])
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect([isLocked(path), existsSync(path)]).toEqual([false, true])
  takeLock(path)?.release()
})
