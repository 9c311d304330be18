import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of msvc, for processes of a test's own: a script for node. */
    program: string
  }
}

const root = join(import.meta.dirname, '../..')
/** Where packages are found from; what a run leaves there that was killed, the next build takes away. */
const folder = join(root, 'dist', `build-${process.pid}`)

/** Before the tests: joins the sources to one program, `inject('program')`, since a process starts in half the time from it. Afterwards takes it away. */
export default async function program(project: TestProject): Promise<() => Promise<void>> {
  const bundle = () =>
    build({
      absWorkingDir: root,
      entryPoints: { msvc: 'src/main.ts' },
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      target: 'node26',
      format: 'esm',
      sourcemap: 'inline',
      logLevel: 'warning',
    })
  await bundle()
  project.provide('program', `${folder}/msvc.mjs`)
  project.onTestsRerun(async () => {
    await bundle()
  })
  return () => rm(folder, { recursive: true, force: true })
}
