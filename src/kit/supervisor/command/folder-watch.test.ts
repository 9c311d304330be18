import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { type FolderWatchOptions, watchFolder } from './folder-watch.ts'

function theatre() {
  const root = mkdtempSync(join(tmpdir(), 'msvc-folder-watch-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const write = (path: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), String(Math.random()))
  }
  const told = new Set<string>()
  const skipped: string[] = []
  const faults: unknown[] = []
  const watch = (options: Partial<FolderWatchOptions> = {}) => {
    const close = watchFolder({
      dir: root,
      isIgnored: (path) => path.split('/').includes('left-out'),
      onChange: (path) => told.add(path),
      onSkip: (path) => skipped.push(path),
      onFault: (fault) => faults.push(fault),
      ...options,
    })
    onTestFinished(close)
    return close
  }
  /** Writes until it is told of: folders below are watched a moment later. */
  const seen = (path: string) =>
    expect
      .poll(
        () => {
          write(path)
          return told
        },
        { timeout: 10_000 },
      )
      .toContain(path)
  return { root, write, told, skipped, faults, watch, seen }
}

it('tells of what changes on every level, and of what comes with new and moved folders', async () => {
  const { root, write, told, skipped, faults, watch, seen } = theatre()
  write('a/b/one')
  write('left-out/two')
  watch()
  await seen('a/b/one')
  mkdirSync(join(root, 'c/d'), { recursive: true })
  write('c/d/three')
  await expect.poll(() => told).toContain('c/d/three')
  renameSync(join(root, 'c'), join(root, 'e'))
  await expect.poll(() => told).toContain('e/d/three')
  told.clear()
  await seen('e/d/three')
  // another one of a name that was there
  write('c/d/three')
  await seen('c/d/three')
  rmSync(join(root, 'a'), { recursive: true })
  await expect.poll(() => told).toContain('a')
  write('left-out/two')
  await seen('four')
  expect([...told].filter((path) => path.includes('left-out/'))).toEqual([])
  expect({ skipped, faults }).toEqual({ skipped: [], faults: [] })
})

it.runIf(process.platform === 'linux')('goes on with what is put in the place of the folder itself', async () => {
  const { root, write, told, faults, watch } = theatre()
  write('shop/a')
  const dir = join(root, 'shop')
  watch({ dir, lookMs: 10 })
  await expect.poll(() => [write('shop/a'), told.has('a')]).toEqual([undefined, true])
  renameSync(dir, join(root, 'old'))
  // nothing is there for a while
  await setTimeout(50)
  told.clear()
  write('shop/b/c')
  await expect.poll(() => told).toContain('b/c')
  rmSync(dir, { recursive: true })
  told.clear()
  await expect.poll(() => [write('shop/b/c'), told.has('b/c')]).toEqual([undefined, true])
  expect(faults).toEqual([])
})

it.runIf(process.platform === 'linux')('looks again for a folder that could not be read when it came', async () => {
  const { root, write, told, skipped, watch } = theatre()
  write('shop/a')
  const dir = join(root, 'shop')
  let isReadable = true
  const list = (folder: string) =>
    isReadable
      ? readdir(folder, { withFileTypes: true })
      : Promise.reject(Object.assign(new Error(), { code: 'EACCES' }))
  watch({ dir, lookMs: 10, list })
  await expect.poll(() => [write('shop/a'), told.has('a')]).toEqual([undefined, true])
  isReadable = false
  renameSync(dir, join(root, 'old'))
  write('shop/b')
  await expect.poll(() => skipped).toContain('')
  isReadable = true
  told.clear()
  await expect.poll(() => told).toContain('b')
})

it.runIf(process.platform === 'linux')('goes on without a folder that may not be read', async () => {
  const { root, write, told, skipped, faults, watch, seen } = theatre()
  for (const path of ['a/x', 'secret/x', 'z/x']) write(path)
  const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  watch({
    list: (folder) => (folder.endsWith('secret') ? Promise.reject(refused) : readdir(folder, { withFileTypes: true })),
  })
  await seen('a/x')
  await seen('z/x')
  // in whatever order the folder lists them
  await expect.poll(() => skipped).toEqual(['secret'])
  expect(faults).toEqual([])
  rmSync(join(root, 'z'), { recursive: true })
  await expect.poll(() => told).toContain('z')
})

it('follows no symbolic link, and so none in a circle', async () => {
  const { root, write, told, watch, seen } = theatre()
  write('a/x')
  symlinkSync(root, join(root, 'a/loop'))
  watch()
  await seen('a/x')
  expect([...told].filter((path) => path.includes('loop/'))).toEqual([])
})

it.runIf(process.platform === 'linux')('says when there are too many watches, and ends then', async () => {
  const { write, faults, watch } = theatre()
  write('a/x')
  const full = Object.assign(new Error('ENOSPC: too many watches'), { code: 'ENOSPC' })
  watch({ list: () => Promise.reject(full) })
  await expect.poll(() => faults).toEqual([full])
})

it('is silent once it is closed', async () => {
  const { write, told, watch } = theatre()
  for (let folder = 0; folder < 20; folder++) write(`${folder}/x`)
  watch()()
  const other = theatre()
  other.watch()
  write('0/x')
  await other.seen('y')
  expect(told.size).toBe(0)
})
