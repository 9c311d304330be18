// Makes dist/msvc: src/main.ts and all it imports as one CommonJS bundle, inside one executable that needs no Node.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { notices } from './bundling.ts'
import { makeProgram } from './compiled-program.ts'
import { elfOf, embed } from './embedding.ts'
import { requirementsOf, requirementsText } from './requirements.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
// Two builds may run at the same time: each works in a folder of its own, and the last rename wins.
const work = join(dist, `build-${process.pid}`)
const executable = process.platform === 'win32' ? 'msvc.exe' : 'msvc'

/** Takes away the folders of builds that were ended half way. */
async function removeLeftBehind(): Promise<void> {
  for (const name of await readdir(dist)) {
    const pid = /^build-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dist, name), { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (fault) {
    return fault instanceof Error && 'code' in fault && fault.code === 'EPERM'
  }
}

const say = (text: string) => process.stderr.write(`msvc: ${text}\n`)

/** Of the Node inside. */
const NODE_LICENCE = 'Node.js: https://github.com/nodejs/node/blob/main/LICENSE'

async function run(): Promise<void> {
  await mkdir(work, { recursive: true })
  await removeLeftBehind()
  const program = await makeProgram(work)
  const output = join(work, executable)
  const node = await readFile(process.execPath)
  await embed({ program, node, isNative: true, warn: say, folder: work, output })
  await writeFile(join(dist, 'THIRD-PARTY-NOTICES.txt'), `${await notices(root, program.inputs, [NODE_LICENCE])}\n`)
  const bytes = await readFile(output)
  await rename(output, join(dist, executable))
  const elf = elfOf(bytes)
  const wants = elf ? `; it wants ${requirementsText(requirementsOf(elf))}` : ''
  say(`dist/${executable} is ready (${Math.round(bytes.length / 1e6)} MB)${wants}`)
}

try {
  await run()
} catch (fault) {
  // esbuild has printed its own errors, with the lines they are about
  if (!(fault instanceof Error && 'errors' in fault))
    process.stderr.write(`${fault instanceof Error ? fault.stack : fault}\n`)
  process.exitCode = 1
} finally {
  await rm(work, { recursive: true, force: true })
}
