import { execFile } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { promisify } from 'node:util'
import * as z from 'zod'
import { AppError, messageOf } from '../../../kit/errors.ts'

/** A processor, by the name that images have for it (https://go.dev/doc/install/source#environment), and the loader of its programs with glibc. */
export interface Architecture {
  readonly name: 'amd64' | 'arm64'
  readonly loader: string
}

/** By Node's name of the processor. */
const ARCHITECTURES: Readonly<Record<'x64' | 'arm64', Architecture>> = {
  x64: { name: 'amd64', loader: '/lib64/ld-linux-x86-64.so.2' },
  arm64: { name: 'arm64', loader: '/lib/ld-linux-aarch64.so.1' },
}
/** By the machine in the header of an ELF file (System V ABI, chapter 4, e_machine). */
const MACHINES: Readonly<Record<number, keyof typeof ARCHITECTURES>> = { 62: 'x64', 183: 'arm64' }
const MAGIC = 0x7f_45_4c_46
const MACHINE_AT = 18
const HEADER_BYTES = 20
const LONGEST_MS = 10_000
/** What only `msvc schema` prints. */
const Schema = z.object({ properties: z.object({ gateway: z.object({}), services: z.object({}) }) })

/** The processor of an executable by the beginning of its file, 64 bit and little-endian; undefined for what is none, or of another one. */
export function machineOf(header: Buffer): keyof typeof ARCHITECTURES | undefined {
  const isElf = header.length >= HEADER_BYTES && header.readUInt32BE(0) === MAGIC && header[4] === 2 && header[5] === 1
  return isElf ? MACHINES[header.readUInt16LE(MACHINE_AT)] : undefined
}

/** Which processor a program for Linux is for. Throws AppError `USAGE` for what is none. */
export function architectureOf(path: string): Architecture {
  const machine = machineOf(headerOf(path))
  if (machine) return ARCHITECTURES[machine]
  throw new AppError(
    'USAGE',
    `${path} is no program for Linux on x64 or arm64, which an image needs: name the executable of msvc with --program`,
  )
}

/** The version of an executable of msvc, asked of itself. Throws AppError `USAGE` for another program. */
export async function versionOf(path: string): Promise<string> {
  const ask = async (word: string) =>
    (await promisify(execFile)(path, [word], { timeout: LONGEST_MS, maxBuffer: 4_194_304, env: {} })).stdout.trim()
  try {
    const version = await ask('--version')
    const isOurs = /^\d+\.\d+\.\d+[\w.+-]*$/.test(version) && Schema.safeParse(JSON.parse(await ask('schema'))).success
    if (!isOurs) throw new Error('it answers otherwise')
    return version
  } catch (cause) {
    throw new AppError(
      'USAGE',
      `${path} is not msvc, which an image is made of (${messageOf(cause).split('\n')[0]}): name the executable of msvc with --program`,
      { cause },
    )
  }
}

function headerOf(path: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  try {
    // a pipe without a writer is not waited for
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      if (!fstatSync(file).isFile()) throw new Error('it is no file')
      readSync(file, header, 0, HEADER_BYTES, 0)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    throw new AppError(
      'USAGE',
      `${path} can't be read: ${messageOf(cause)}; name the executable of msvc with --program`,
      { cause },
    )
  }
  return header
}
