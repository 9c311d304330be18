// Writes the archives that are handed out: tar (POSIX.1-1988, ustar) and zip (APPNOTE 6.3), the same bytes from the same files, whoever packs them and when.
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, gzip } from 'node:zlib'

/** A file of an archive. */
export interface Packed {
  /** With slashes, at most 100 bytes. */
  readonly path: string
  readonly bytes: Buffer
  readonly isExecutable: boolean
}

const LEVEL = { level: constants.Z_BEST_COMPRESSION }
const BLOCK = 512
const modeOf = ({ isExecutable }: Packed) => (isExecutable ? 0o755 : 0o644)
const inOrder = (files: readonly Packed[]) => files.toSorted((a, b) => (a.path < b.path ? -1 : 1))

/**
 * A tar of files that belong to root, compressed.
 * @param time when all of them were changed, seconds since 1970
 */
export async function tarGz(files: readonly Packed[], time: number): Promise<Buffer> {
  const blocks = inOrder(files).flatMap((file) => [
    tarHeader(file, time),
    file.bytes,
    Buffer.alloc((BLOCK - (file.bytes.length % BLOCK)) % BLOCK),
  ])
  const packed = await promisify(gzip)(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), LEVEL)
  // the system that it was compressed on (RFC 1952, 2.3.1): unknown
  packed[9] = 255
  return packed
}

function tarHeader(file: Packed, time: number): Buffer {
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, digits: number) =>
    header.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  header.write(file.path, 0, 100)
  octal(modeOf(file), 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(file.bytes.length, 124, 11)
  octal(time, 136, 11)
  header.write('        0', 148, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  header.write('root', 265, 'latin1')
  header.write('root', 297, 'latin1')
  const sum = header.reduce((all, byte) => all + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** A file out of a tar; undefined when it isn't there. */
export function fileOfTar(tar: Buffer, path: string): Buffer | undefined {
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const name = tar.toString('utf8', at, at + 100).split('\0', 1)[0]
    const bytes = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8)
    if (name === path) return tar.subarray(at + BLOCK, at + BLOCK + bytes)
    at += BLOCK + Math.ceil(bytes / BLOCK) * BLOCK
  }
  return undefined
}

/** A zip: records for each file, and a directory of them behind all. @param time seconds since 1970; not before 1980, where zip begins */
export async function zip(files: readonly Packed[], time: number): Promise<Buffer> {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const file of inOrder(files)) {
    const compressed = await promisify(deflateRaw)(file.bytes, LEVEL)
    const name = Buffer.from(file.path)
    const same = sameFields(file, compressed, name, time)
    const local = Buffer.concat([Buffer.from('504b0304', 'hex'), same, name])
    parts.push(local, compressed)
    const entry = Buffer.alloc(14)
    // the upper half: the file's mode, as Unix has it
    entry.writeUInt32LE(((0o100_000 | modeOf(file)) << 16) >>> 0, 6)
    entry.writeUInt32LE(at, 10)
    // made on Unix, by version 2.0 of the format
    directory.push(Buffer.from('504b01021403', 'hex'), same, entry, name)
    at += local.length + compressed.length
  }
  const listing = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(listing.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, listing, end])
}

/** What stands both before a file and in the directory. */
function sameFields({ bytes }: Packed, compressed: Buffer, name: Buffer, time: number): Buffer {
  const fields = Buffer.alloc(26)
  const date = new Date(Math.max(time, EARLIEST) * 1000)
  // version 2.0; names are UTF-8; deflated
  fields.writeUInt16LE(20, 0)
  fields.writeUInt16LE(0x0800, 2)
  fields.writeUInt16LE(8, 4)
  fields.writeUInt16LE((date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1), 6)
  fields.writeUInt16LE(((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate(), 8)
  fields.writeUInt32LE(crc32(bytes), 10)
  fields.writeUInt32LE(compressed.length, 14)
  fields.writeUInt32LE(bytes.length, 18)
  fields.writeUInt16LE(name.length, 22)
  return fields
}

/** 1980-01-01, seconds since 1970: the first day that a zip knows. */
export const EARLIEST = 315_532_800
