// Makes dist/msvc: src/main.ts and all it imports as one CommonJS bundle, inside one executable that needs no Node.
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { notices } from './bundling.ts'
import { loader, makeProgram } from './compiled-program.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
// Two builds may run at the same time: each works in a folder of its own, and the last rename wins.
const work = join(dist, `build-${process.pid}`)
const executable = process.platform === 'win32' ? 'msvc.exe' : 'msvc'

/** Takes away the folders of builds that were ended half way. */
async function removeLeftBehind() {
  for (const name of await readdir(dist)) {
    const pid = /^build-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dist, name), { recursive: true, force: true })
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (fault) {
    return fault.code === 'EPERM'
  }
}

/** Puts the program, with its compiled functions, into a copy of the Node that runs this script. */
async function embed(program, output) {
  const main = join(work, 'loader.cjs')
  const config = join(work, 'sea-config.json')
  const settings = {
    main,
    output,
    mainFormat: 'commonjs',
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    useSnapshot: false,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    assets: program.assets,
  }
  await writeFile(main, loader(program, `(name) => Buffer.from(require('node:sea').getRawAsset(name))`))
  await writeFile(config, JSON.stringify(settings))
  await promisify(execFile)(process.execPath, ['--build-sea', config])
}

/**
 * Copies the executable in small writes. Linux caches a file in blocks as large as it was written, and maps them whole: written at one go,
 * each process holds 25 MB more of it in memory.
 */
async function rewrite(from, to) {
  await pipeline(createReadStream(from, { highWaterMark: 65_536 }), createWriteStream(to, { mode: 0o755 }))
}

/** Of the Node inside. */
const NODE_LICENCE = 'Node.js: https://github.com/nodejs/node/blob/main/LICENSE'

async function run() {
  await mkdir(work, { recursive: true })
  await removeLeftBehind()
  const program = await makeProgram(work)
  await embed(program, join(work, 'embedded'))
  await rewrite(join(work, 'embedded'), join(work, executable))
  await writeFile(join(dist, 'THIRD-PARTY-NOTICES.txt'), `${await notices(root, program.inputs, [NODE_LICENCE])}\n`)
  await rename(join(work, executable), join(dist, executable))
  const { size } = await stat(join(dist, executable))
  console.error(`msvc: dist/${executable} is ready (${Math.round(size / 1e6)} MB)`)
}

try {
  await run()
} catch (fault) {
  // esbuild has printed its own errors, with the lines they are about
  if (!fault.errors) console.error(fault)
  process.exitCode = 1
} finally {
  await rm(work, { recursive: true, force: true })
}
