import { AppError } from '../errors.ts'

/** A file to be put into an archive, or a folder. */
export interface TarFile {
  /** At most 100 bytes of ASCII; that of a folder ends with a slash. */
  readonly name: string
  /** Its rights. Default 0o600. */
  readonly mode?: number
  readonly bytes: number
  /** Gives exactly so many bytes. */
  read(): AsyncIterable<Uint8Array>
}

/** A file of an archive that is being read. */
export interface TarEntry {
  readonly name: string
  readonly bytes: number
  /** Its content, once. What is left of it is skipped when the next entry is asked for. */
  content(): AsyncIterable<Uint8Array>
}

const BLOCK = 512
/** Name, mode, owner, group, size, time, checksum and type stand in a header by these places (POSIX.1-1988, "ustar"). */
const NAME_BYTES = 100
const SIZE = { at: 124, length: 12 }
const CHECKSUM = { at: 148, length: 8 }
const TYPE_AT = 156
const REGULAR = '0'
const FOLDER = '5'
/** What octal digits can't say is said in binary, marked by the first bit: GNU's way, which every tar reads. */
const OCTAL_LIMIT = 8 ** 11
const BINARY = 0x80
/** What tar programs fill an archive up with behind its end: at most a record of 10 KiB. */
const MOST_PADDING = 20 * BLOCK

/**
 * Writes files as a tar archive. Ours rather than a package: archives hold nothing but plain files of short names,
 * so a reader may refuse all else, where packages keep extended headers of any length in memory.
 * @param seconds when the files were last changed, since 1970
 */
export async function* writeTar(files: Iterable<TarFile>, seconds: number): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    const { name, bytes, read } = file
    yield header(file, seconds)
    let left = bytes
    for await (const chunk of read()) {
      left -= chunk.length
      yield chunk
    }
    if (left !== 0) throw new AppError('INTERNAL', `${name} was changed while it was put into the archive`)
    yield Buffer.alloc(paddingOf(bytes))
  }
  yield Buffer.alloc(2 * BLOCK)
}

/**
 * Reads a tar archive that `writeTar` wrote, an entry at a time, and to the end of its source. Throws AppError `INVALID_BODY` for anything but plain
 * files, and for one that ends too early or goes on too long.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const blocks = new Blocks(source)
  for (;;) {
    const block = await blocks.take(BLOCK)
    if (block.every((byte) => byte === 0)) return blocks.end()
    const { name, bytes } = parseHeader(block)
    const content = blocks.pieces(bytes)
    yield { name, bytes, content: () => content }
    for await (const _ of content);
    await blocks.take(paddingOf(bytes))
  }
}

function paddingOf(bytes: number): number {
  return (BLOCK - (bytes % BLOCK)) % BLOCK
}

function header({ name, bytes, mode = 0o600 }: TarFile, seconds: number): Buffer {
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new AppError('INTERNAL', `${name} can't be a name in an archive`)
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`
  block.write(name, 0)
  block.write(octal(mode, 8) + octal(0, 8) + octal(0, 8), NAME_BYTES)
  if (bytes < OCTAL_LIMIT) block.write(octal(bytes, SIZE.length), SIZE.at)
  else {
    block[SIZE.at] = BINARY
    block.writeBigUInt64BE(BigInt(bytes), SIZE.at + SIZE.length - 8)
  }
  block.write(octal(Math.max(0, Math.floor(seconds)), 12), SIZE.at + SIZE.length)
  block.write(name.endsWith('/') ? FOLDER : REGULAR, TYPE_AT)
  block.write('ustar\x0000', TYPE_AT + 1 + NAME_BYTES)
  block.write(`${octal(checksum(block), 7)} `, CHECKSUM.at)
  return block
}

/** The sum of a header's bytes, its own place counted as spaces. */
function checksum(block: Uint8Array): number {
  const behind = CHECKSUM.at + CHECKSUM.length
  return block.reduce((sum, byte, at) => sum + (at >= CHECKSUM.at && at < behind ? 0x20 : byte), 0)
}

function parseHeader(block: Buffer): Pick<TarEntry, 'name' | 'bytes'> {
  const said = Number.parseInt(block.toString('latin1', CHECKSUM.at, CHECKSUM.at + CHECKSUM.length), 8)
  if (said !== checksum(block)) throw damaged('it is no tar archive, or damaged')
  const [name = ''] = block.toString('latin1', 0, NAME_BYTES).split('\0')
  const type = block.toString('latin1', TYPE_AT, TYPE_AT + 1)
  if (type !== REGULAR && type !== '\0') throw damaged('something in it is no plain file')
  const bytes = sizeIn(block)
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw damaged('it has a file of no known size')
  return { name, bytes }
}

function sizeIn(block: Buffer): number {
  const { at, length } = SIZE
  if (block[at] === BINARY) return Number(block.readBigUInt64BE(at + length - 8))
  const digits = /^ *([0-7]+)[ \0]*$/.exec(block.toString('latin1', at, at + length))?.[1]
  return digits === undefined ? Number.NaN : Number.parseInt(digits, 8)
}

function damaged(why: string): AppError {
  return new AppError('INVALID_BODY', why)
}

/** Bytes as they are asked for, whatever pieces they come in. */
class Blocks {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Uint8Array = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next so many bytes: a few. */
  async take(bytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for await (const part of this.pieces(bytes)) parts.push(part)
    return Buffer.concat(parts)
  }

  /** The next so many bytes, in pieces. */
  async *pieces(bytes: number): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0; ) {
      if (!(await this.#fill())) throw damaged('it ends too early')
      const part = this.#held.subarray(0, left)
      this.#held = this.#held.subarray(part.length)
      left -= part.length
      yield part
    }
  }

  /** Reads up to the end, so that whatever unpacks it has seen its checksum. */
  async end(): Promise<void> {
    for (let padding = 0; await this.#fill(); this.#held = Buffer.alloc(0)) {
      padding += this.#held.length
      if (padding > MOST_PADDING || this.#held.some((byte) => byte !== 0)) throw damaged('it goes on behind its end')
    }
  }

  async #fill(): Promise<boolean> {
    while (this.#held.length === 0) {
      const { value, done } = await this.#source.next()
      if (done === true) return false
      this.#held = value
    }
    return true
  }
}
