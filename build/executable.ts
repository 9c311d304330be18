// Makes dist/msvc: src/main.ts and all it imports as one CommonJS bundle, inside one executable that needs no Node. With --target it makes what is
// handed out for other systems (artefacts.ts).
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AppError } from '../src/kit/errors.ts'
import { LICENCES } from '../src/process-licences.ts'
import { EARLIEST } from './archives.ts'
import { makeArtefacts } from './artefacts.ts'
import { notices } from './bundling.ts'
import { makeProgram } from './compiled-program.ts'
import { elfOf, embed } from './embedding.ts'
import { nodeLicence } from './node-licence.ts'
import { requirementsOf, requirementsText } from './requirements.ts'
import { TARGET_NAMES, type Target, targetOf } from './targets.ts'

const USAGE = `usage: npm run build                        dist/msvc, for this system
       npm run build -- --target <name,...>   archives, sums and a bill of materials: ${TARGET_NAMES.join(', ')}
         --profile <folder>                   the same bytes as the build whose profiles lie there`

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
// Two builds may run at the same time: each works in a folder of its own, and the last rename wins.
const work = join(dist, `build-${process.pid}`)
const executable = process.platform === 'win32' ? 'msvc.exe' : 'msvc'

const say = (text: string) => process.stderr.write(`msvc: ${text}\n`)

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

/** For the system that builds, as quickly as may be. */
async function makeOwn(): Promise<void> {
  const { assets, inputs } = await makeProgram(work)
  const output = join(work, executable)
  const licences = join(work, LICENCES)
  await writeFile(licences, await notices(root, inputs, [await nodeLicence(root)]))
  const program = { assets: { ...assets, [LICENCES]: licences }, inputs }
  await embed({ program, node: await readFile(process.execPath), warn: say, folder: work, output })
  const bytes = await readFile(output)
  await rename(licences, join(dist, 'THIRD-PARTY-NOTICES.txt'))
  await rename(output, join(dist, executable))
  const elf = elfOf(bytes)
  const wants = elf ? `; it wants ${requirementsText(requirementsOf(elf))}` : ''
  say(`dist/${executable} is ready (${Math.round(bytes.length / 1e6)} MB)${wants}`)
}

async function makeTargets(targets: readonly Target[], profiles: string | undefined): Promise<void> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const time = Number(process.env.SOURCE_DATE_EPOCH ?? EARLIEST)
  if (!Number.isSafeInteger(time) || time < EARLIEST)
    throw new AppError('USAGE', `SOURCE_DATE_EPOCH: wants seconds since 1970, and a day after 1980`)
  await makeArtefacts({ root, work, dist, version, targets, time, say, ...(profiles !== undefined && { profiles }) })
}

async function run(): Promise<void> {
  const { target, profile, help } = given()
  if (help) return void process.stdout.write(`${USAGE}\n`)
  const targets = target?.split(',').map(targetOf)
  await mkdir(work, { recursive: true })
  await removeLeftBehind()
  await (targets ? makeTargets(targets, profile) : makeOwn())
}

function given() {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { target: text, profile: text, help: { type: 'boolean', short: 'h' } } }).values
  } catch (cause) {
    throw new AppError('USAGE', `${cause instanceof Error ? cause.message : cause}\n${USAGE}`, { cause })
  }
}

/** What is to be said of a fault; nothing for esbuild's, which has printed its own, with the lines they are about. */
function wordsOf(fault: unknown): string {
  if (fault instanceof AppError) return `error: ${fault.message}\n`
  return fault instanceof Error && 'errors' in fault ? '' : `${fault instanceof Error ? fault.stack : fault}\n`
}

try {
  await run()
} catch (fault) {
  process.stderr.write(wordsOf(fault))
  process.exitCode = 1
} finally {
  await rm(work, { recursive: true, force: true })
}
