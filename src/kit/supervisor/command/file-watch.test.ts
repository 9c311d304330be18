import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { mountedFile } from '../../auth/testing/mounted-file.ts'
import { watchFiles } from './file-watch.ts'

function folder() {
  const root = mkdtempSync(join(tmpdir(), 'msvc-watch-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const write = (path: string, text = 'x') => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return { root, write }
}

function watch(dir: string, patterns: readonly string[]) {
  const told: string[] = []
  const close = watchFiles({
    dir,
    patterns,
    onChange: (path) => void told.push(path),
    onSkip: (path) => expect.fail(path),
    onFault: (fault) => expect.fail(fault.message),
  })
  onTestFinished(close)
  return told
}

it.skipIf(process.platform !== 'linux')('tells of a file whose link Kubernetes swaps', async () => {
  const { root } = folder()
  mkdirSync(join(root, 'mounted'))
  const mounted = mountedFile(join(root, 'mounted'), 'rules.yaml')
  mounted.mount('one')
  const told = watch(root, ['mounted/*.yaml'])
  await vi.waitUntil(
    () => {
      // the folder may not be watched yet
      if (told.length === 0) mounted.mount('two')
      return told.length > 0
    },
    // longer than a burst lasts
    { timeout: 20_000, interval: 300 },
  )
  expect(told[0]).toBe('mounted/rules.yaml')
})

it('tells of a burst once, of files in new folders and of replaced ones too', async () => {
  const { root, write } = folder()
  write('shop/a.py')
  const told = watch(join(root, 'shop'), ['**/*.py'])
  for (let i = 0; i < 20; i++) write('shop/a.py', `${i}`)
  await expect.poll(() => told).toEqual(['a.py'])
  mkdirSync(join(root, 'shop/new'))
  await vi.waitUntil(
    () => {
      write('shop/new/b.py')
      return told.includes('new/b.py')
    },
    { interval: 300, timeout: 20_000 },
  )
  // the burst before it may not be over
  await vi.waitUntil(
    () => {
      write('c.tmp')
      renameSync(join(root, 'c.tmp'), join(root, 'shop/a.py'))
      return told.slice(2).includes('a.py')
    },
    { interval: 300, timeout: 20_000 },
  )
})

it('leaves out what .gitignore names, on any level, node_modules and other files', async () => {
  const { root, write } = folder()
  mkdirSync(join(root, '.git'))
  write('.gitignore', 'dist/\n*.log')
  write('shop/sub/.gitignore', 'made.py')
  for (const path of [
    'shop/a.py',
    'shop/sub/made.py',
    'shop/dist/x.py',
    'shop/node_modules/y.py',
    'shop/z.log',
    'shop/q.txt',
  ])
    write(path)
  const told = watch(join(root, 'shop'), ['**/*.py', '**/*.log'])
  for (const path of ['shop/sub/made.py', 'shop/dist/x.py', 'shop/node_modules/y.py', 'shop/z.log', 'shop/q.txt'])
    write(path, '1')
  // by when it is told of this one the others would have been
  write('shop/a.py', '1')
  await expect.poll(() => told).toEqual(['a.py'])
})
