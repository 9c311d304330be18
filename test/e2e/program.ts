import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { loader, makeProgram } from '../../build/compiled-program.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of msvc, for processes of a test's own: a script for node. */
    program: string
  }
}

/** What a run leaves there that was killed, the next build takes away. */
const folder = join(import.meta.dirname, '../../dist', `build-${process.pid}`)
const main = join(folder, 'msvc.cjs')

/** The program of the executable, without the executable: its bundles, and what V8 has compiled of them, lie beside the script. */
async function make(): Promise<void> {
  await mkdir(folder, { recursive: true })
  const program = await makeProgram(folder)
  const paths = JSON.stringify(program.assets)
  await writeFile(main, loader(program, `(name) => require('node:fs').readFileSync(${paths}[name])`))
}

/**
 * Before the tests: makes the program of the sources, `inject('program')`, since a process starts in a quarter of the time from it. Afterwards takes
 * it away. Projects of one run share it.
 */
export default async function program(project: TestProject): Promise<() => Promise<void>> {
  const isMade = await readFile(main).then(
    () => true,
    () => false,
  )
  if (!isMade) await make()
  project.provide('program', main)
  project.onTestsRerun(make)
  return () => rm(folder, { recursive: true, force: true })
}
