import { closeSync, openSync, readSync } from 'node:fs'
import { AppError, messageOf } from '../../../kit/errors.ts'

/** A processor, by the name that images have for it (https://go.dev/doc/install/source#environment), and the loader of its programs with glibc. */
export interface Architecture {
  readonly name: 'amd64' | 'arm64'
  readonly loader: string
}

/** By the machine in the header of an ELF file (ELF-64 object file format, e_machine). */
const MACHINES: Readonly<Record<number, Architecture>> = {
  62: { name: 'amd64', loader: '/lib64/ld-linux-x86-64.so.2' },
  183: { name: 'arm64', loader: '/lib/ld-linux-aarch64.so.1' },
}
const MAGIC = 0x7f_45_4c_46
const MACHINE_AT = 18
const HEADER_BYTES = 20

/** Which processor a program for Linux is for. Throws AppError `USAGE` for what is none. */
export function architectureOf(path: string): Architecture {
  const header = headerOf(path)
  const machine = header.readUInt32BE(0) === MAGIC ? MACHINES[header.readUInt16LE(MACHINE_AT)] : undefined
  if (machine) return machine
  throw new AppError(
    'USAGE',
    `${path} is no program for Linux on x64 or arm64, which an image needs: name the executable of msvc with --program`,
  )
}

function headerOf(path: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  try {
    const file = openSync(path, 'r')
    try {
      readSync(file, header, 0, HEADER_BYTES, 0)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    throw new AppError(
      'USAGE',
      `${path} can't be read: ${messageOf(cause)}; name the executable of msvc with --program`,
      {
        cause,
      },
    )
  }
  return header
}
