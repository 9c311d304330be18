// Reads what a build has to know of an ELF executable, the format of Linux: 64 bit, little-endian (System V ABI, chapters 4 and 5).
import { machineOf } from '../src/cli/deploy/image/program-file.ts'
import { AppError } from '../src/kit/errors.ts'

/** Words of the format, as the ABI calls them. */
export const ELF = {
  PT_LOAD: 1,
  PF_X: 1,
  SHF_ALLOC: 2,
  SHT_STRTAB: 3,
  DT_NULL: 0,
  DT_NEEDED: 1,
  DT_VERNEED: 0x6ffffffe,
  DT_VERNEEDNUM: 0x6fffffff,
} as const

/** A part of the file that is mapped into memory, or that something stands in. `at` is where its header lies in the file. */
export interface Segment {
  readonly at: number
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly bytes: number
}

/** A named part of the file. `at` is where its header lies in the file. */
export interface Section {
  readonly at: number
  readonly name: string
  readonly flags: number
  readonly address: number
  readonly offset: number
  readonly bytes: number
}

/** What the loader needs of a library, by one version of that library's interface. `at` is the record's offset in the file. */
export interface NeededVersion {
  readonly at: number
  readonly library: string
  /** Names such as `GLIBC_2.28`, with the index by which symbols refer to each. */
  readonly versions: readonly { readonly name: string; readonly index: number }[]
  /** Bytes to the next record; 0 behind the last. */
  readonly next: number
}

/** An executable that was read. */
export interface ElfFile {
  readonly bytes: Buffer
  readonly machine: 'x64' | 'arm64'
  readonly segments: readonly Segment[]
  readonly sections: readonly Section[]
}

const number64 = (bytes: Buffer, at: number) => Number(bytes.readBigUInt64LE(at))

/**
 * Reads the headers of an executable.
 * @throws AppError UNPROCESSABLE for what is no 64-bit little-endian ELF file of a processor that the build knows
 */
export function readElf(bytes: Buffer): ElfFile {
  const machine = bytes.length > 64 ? machineOf(bytes) : undefined
  if (!machine) throw new AppError('UNPROCESSABLE', 'not an ELF executable for x64 or arm64')
  const segments = headers(bytes, number64(bytes, 32), 54, (at) => ({
    at,
    type: bytes.readUInt32LE(at),
    flags: bytes.readUInt32LE(at + 4),
    offset: number64(bytes, at + 8),
    address: number64(bytes, at + 16),
    bytes: number64(bytes, at + 32),
  }))
  const unnamed = headers(bytes, number64(bytes, 40), 58, (at) => ({
    at,
    nameAt: bytes.readUInt32LE(at),
    flags: number64(bytes, at + 8),
    address: number64(bytes, at + 16),
    offset: number64(bytes, at + 24),
    bytes: number64(bytes, at + 32),
  }))
  const names = unnamed[bytes.readUInt16LE(62)]?.offset ?? 0
  const sections = unnamed.map(({ nameAt, ...section }) => ({ ...section, name: textAt(bytes, names + nameAt) }))
  return { bytes, machine, segments, sections }
}

function headers<T>(bytes: Buffer, start: number, sizeAt: number, read: (at: number) => T): T[] {
  const [size, count] = [bytes.readUInt16LE(sizeAt), bytes.readUInt16LE(sizeAt + 2)]
  return Array.from({ length: count }, (_, index) => read(start + index * size))
}

/** The text that ends with a zero byte. */
export function textAt(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}

/** A section by its name. @throws AppError UNPROCESSABLE when there is none */
export function sectionOf({ sections }: ElfFile, name: string): Section {
  const found = sections.find((section) => section.name === name)
  if (!found) throw new AppError('UNPROCESSABLE', `the executable has no section ${name}`)
  return found
}

/** What stands in the dynamic section: tag, value, and where in the file. */
export function dynamicEntries(elf: ElfFile): { readonly tag: number; readonly value: number; readonly at: number }[] {
  const { offset, bytes } = sectionOf(elf, '.dynamic')
  const all = Array.from({ length: bytes / 16 }, (_, index) => {
    const at = offset + index * 16
    return { tag: number64(elf.bytes, at), value: number64(elf.bytes, at + 8), at }
  })
  const end = all.findIndex(({ tag }) => tag === ELF.DT_NULL)
  return end === -1 ? all : all.slice(0, end)
}

/** The shared libraries that the loader looks for, in its order, such as `libc.so.6`. */
export function neededLibraries(elf: ElfFile): string[] {
  const names = sectionOf(elf, '.dynstr').offset
  return dynamicEntries(elf)
    .filter(({ tag }) => tag === ELF.DT_NEEDED)
    .map(({ value }) => textAt(elf.bytes, names + value))
}

/** Which versions of the libraries' interfaces the loader asks for: it refuses to start a program on a system whose library is older. */
export function neededVersions(elf: ElfFile): NeededVersion[] {
  const { bytes } = elf
  const names = sectionOf(elf, '.dynstr').offset
  const found: NeededVersion[] = []
  for (let at = sectionOf(elf, '.gnu.version_r').offset, next = -1; next !== 0; at += next) {
    next = bytes.readUInt32LE(at + 12)
    const versions = []
    let version = at + bytes.readUInt32LE(at + 8)
    for (let left = bytes.readUInt16LE(at + 2); left > 0; left -= 1) {
      versions.push({
        name: textAt(bytes, names + bytes.readUInt32LE(version + 8)),
        index: bytes.readUInt16LE(version + 6),
      })
      version += bytes.readUInt32LE(version + 12)
    }
    found.push({ at, library: textAt(bytes, names + bytes.readUInt32LE(at + 4)), versions, next })
  }
  return found
}
