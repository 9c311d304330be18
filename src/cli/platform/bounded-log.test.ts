import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type BoundedLogOptions, boundLog } from './bounded-log.ts'

let folder: string
let path: string
let descriptor: number
let end = () => {}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-bounded-log-'))
  path = join(folder, 'up.log')
  descriptor = openSync(path, 'ax', 0o600)
})
afterEach(() => {
  end()
  closeSync(descriptor)
  rmSync(folder, { recursive: true, force: true })
})

const bound = (options: BoundedLogOptions = {}) => boundLog(path, { mostBytes: 100, lookMs: 1, descriptor, ...options })
const old = () => (existsSync(`${path}.1`) ? readFileSync(`${path}.1`, 'utf8') : '')
const said = () => readFileSync(path, 'utf8')

describe('boundLog', () => {
  it('begins anew when the file is full, and loses no line of the last two', async () => {
    end = bound()
    const words = (from: number) => Array.from({ length: 20 }, (_, index) => `line ${from + index}\n`).join('')
    for (const from of [0, 20, 40]) {
      writeSync(descriptor, words(from))
      await vi.waitUntil(() => said() === '', { timeout: 20_000 })
      expect(old()).toBe(words(from))
    }
    writeSync(descriptor, 'the last words\n')
    expect(said()).toBe('the last words\n')
    expect(statSync(`${path}.1`).mode & 0o777).toBe(0o600)
  })

  it('leaves a file alone that is not full, and one that somebody else writes', async () => {
    writeSync(descriptor, 'x'.repeat(99))
    const other = join(folder, 'other')
    const another = openSync(other, 'ax')
    try {
      end = bound()
      const endOfOther = boundLog(path, { mostBytes: 1, lookMs: 1, descriptor: another })
      await new Promise((resolve) => setTimeout(resolve, 20))
      endOfOther()
    } finally {
      closeSync(another)
    }
    expect(said()).toHaveLength(99)
    expect(old()).toBe('')
  })

  it('stays bounded when the file was taken away', async () => {
    end = bound()
    unlinkSync(path)
    writeSync(descriptor, 'x'.repeat(100))
    await vi.waitUntil(() => fstatSync(descriptor).size === 0, { timeout: 20_000 })
    expect(old()).toBe('')
  })

  it('does no harm when its file can be neither looked at nor emptied', async () => {
    const lost = openSync(path, 'a')
    // never full: another file of this process may soon have the same descriptor
    end = bound({ descriptor: lost, mostBytes: Number.POSITIVE_INFINITY })
    closeSync(lost)
    await new Promise((resolve) => setTimeout(resolve, 20))
  })
})
