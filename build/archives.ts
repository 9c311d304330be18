// Writes the archives that are handed out: tar (POSIX.1-1988, ustar) and zip (APPNOTE 6.3), the same bytes from the same files, whoever packs them and when.
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, gzip } from 'node:zlib'
import { readTar, writeTar } from '../src/kit/backup/tar.ts'

/** A file of an archive. */
export interface Packed {
  /** With slashes, at most 100 characters of ASCII. */
  readonly path: string
  readonly bytes: Buffer
  readonly isExecutable: boolean
}

const LEVEL = { level: constants.Z_BEST_COMPRESSION }
const modeOf = ({ isExecutable }: Packed) => (isExecutable ? 0o755 : 0o644)
const inOrder = (files: readonly Packed[]) => files.toSorted((a, b) => (a.path < b.path ? -1 : 1))

/**
 * A tar of files that belong to root, compressed.
 * @param time when all of them were changed, seconds since 1970
 */
export async function tarGz(files: readonly Packed[], time: number): Promise<Buffer> {
  const entries = inOrder(files).map((file) => ({
    ...{ name: file.path, mode: modeOf(file), bytes: file.bytes.length },
    async *read() {
      yield file.bytes
    },
  }))
  const packed = await promisify(gzip)(await buffer(Readable.from(writeTar(entries, time))), LEVEL)
  // the system that it was compressed on (RFC 1952, 2.3.1): unknown
  packed[9] = 255
  return packed
}

/** A file out of a tar; undefined when it isn't there. Rejects with AppError `INVALID_BODY` for what is no tar of plain files. */
export async function fileOfTar(tar: Buffer, path: string): Promise<Buffer | undefined> {
  for await (const { name, content } of readTar(Readable.from([tar])))
    if (name === path) return buffer(Readable.from(content()))
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
