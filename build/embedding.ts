// Puts a program into a copy of Node: a single executable (https://nodejs.org/api/single-executable-applications.html).
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { AppError, messageOf } from '../src/kit/errors.ts'
import { withoutLibatomic } from './compare-exchange.ts'
import { loader, type Program } from './compiled-program.ts'
import { withoutDebugInformation } from './debug-information.ts'
import { type ElfFile, readElf } from './elf.ts'

/** What to put in, and where. */
export interface Embedding {
  readonly program: Program
  /** The executable of Node for the target, of the same version as the one that builds. */
  readonly node: Buffer
  /** Told what could not be done as well as elsewhere. */
  readonly warn: (message: string) => void
  /** For files on the way, and for the result. */
  readonly folder: string
  /** Path of the executable. */
  readonly output: string
}

/** Writes an executable that needs no Node. */
export async function embed({ program, node, warn, folder, output }: Embedding): Promise<void> {
  const into = join(folder, 'node')
  // its name is kept inside: a path would tell of the folder, and be another one in each build
  const main = 'loader.cjs'
  const config = join(folder, 'sea-config.json')
  const embedded = join(folder, 'embedded')
  const settings = {
    main,
    executable: into,
    output: embedded,
    mainFormat: 'commonjs',
    disableExperimentalSEAWarning: true,
    // no two builds would have the same bytes of it, for a script of twenty lines
    useCodeCache: false,
    useSnapshot: false,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    assets: program.assets,
  }
  await writeFile(into, readyForAnySystem(node, warn), { mode: 0o755 })
  await writeFile(join(folder, main), loader(program, `(name) => Buffer.from(require('node:sea').getRawAsset(name))`))
  await writeFile(config, JSON.stringify(settings))
  await promisify(execFile)(process.execPath, ['--build-sea', config], { cwd: folder })
  await rm(into)
  await rewrite(embedded, output)
  await rm(embedded)
}

/**
 * Node as it goes into an executable: for Linux without libatomic and what debuggers read, for others as it is.
 * @param warn told when it has to stay as it is on Linux too
 */
export function readyForAnySystem(node: Buffer, warn: Embedding['warn']): Buffer {
  if (!elfOf(node)) return node
  try {
    return withoutDebugInformation(withoutLibatomic(node))
  } catch (fault) {
    if (!(fault instanceof AppError)) throw fault
    warn(`${messageOf(fault)}; the executable starts only where it is installed`)
    return node
  }
}

/** The headers of an executable for Linux; undefined for another system's. */
export function elfOf(executable: Buffer): ElfFile | undefined {
  return executable.subarray(1, 4).toString('latin1') === 'ELF' ? readElf(executable) : undefined
}

/**
 * Copies the executable in small writes. Linux caches a file in blocks as large as it was written, and maps them whole: written at one go,
 * each process holds 25 MB more of it in memory.
 */
async function rewrite(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from, { highWaterMark: 65_536 }), createWriteStream(to, { mode: 0o755 }))
}
