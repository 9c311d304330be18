import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { constants, createGunzip, createGzip } from 'node:zlib'
import { openRegularFile } from '../../drivers/regular-file.ts'
import { AppError, messageOf } from '../errors.ts'
import { MANIFEST, type Manifest, MOST_MANIFEST_BYTES, readManifest, type StoredFile } from './manifest.ts'
import { readTar, type TarEntry, writeTar } from './tar.ts'

/** How an archive is read. */
export interface ReadingOptions {
  /** Of this program. */
  readonly version: string
  readonly signal: AbortSignal
  /** Told what the archive says of itself, before any of its files; what it throws ends the reading. */
  readonly onManifest?: (manifest: Manifest) => void
  /** Takes the content of a file. Default: it is only checked. */
  readonly onFile?: (file: StoredFile, content: AsyncIterable<Uint8Array>) => Promise<void>
}

/**
 * Writes an archive: its manifest, then the files that this names, as tar and gzip. Rejects with what `send` rejects with, and the signal's reason.
 * @param read gives the content of a file
 * @param send takes the bytes of the archive
 */
export async function writeArchive(
  manifest: Manifest,
  read: (file: StoredFile) => AsyncIterable<Uint8Array>,
  send: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const text = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)
  const files = manifest.files.map((file) => ({ name: file.path, bytes: file.bytes, read: () => read(file) }))
  const first = { name: MANIFEST, bytes: text.length, read: () => once(text) }
  const seconds = Date.parse(manifest.created_at) / 1_000
  // the fastest: pages of a database shrink to a fourth all the same, and the platform runs meanwhile
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  await pipeline(() => writeTar([first, ...files], seconds), gzip, send, { signal })
}

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk
}

/**
 * Reads an archive to its end, every checksum compared. Nothing is believed of it but what its manifest says: no other name, no more bytes.
 * @throws AppError `INVALID_BODY` for what is no whole backup, and at once for what is no regular file, `NOT_FOUND`; the signal's reason; what `onManifest` and `onFile` throw
 */
export async function readArchive(path: string, options: ReadingOptions): Promise<Manifest> {
  const { signal } = options
  let manifest: Manifest | undefined
  try {
    await pipeline(
      createReadStream(path, { fd: openArchive(path) }),
      createGunzip(),
      async (source: AsyncIterable<Uint8Array>) => {
        manifest = await readEntries(readTar(source), options)
      },
      { signal },
    )
  } catch (fault) {
    signal.throwIfAborted()
    throw readingFault(path, fault)
  }
  if (manifest) return manifest
  throw new AppError('INVALID_BODY', `${path} can't be restored: it is empty`)
}

function openArchive(path: string): number {
  const file = openRegularFile(path)
  if (file !== undefined) return file
  throw new AppError('INVALID_BODY', 'it is no regular file')
}

function readingFault(path: string, fault: unknown): unknown {
  const code = fault instanceof Error && 'code' in fault ? String(fault.code) : ''
  if (code === 'ENOENT') return new AppError('NOT_FOUND', `there is no file ${path}`, { cause: fault })
  if (code.startsWith('Z_')) {
    const why = code === 'Z_BUF_ERROR' ? 'it ends too early' : 'it is no backup of msvc, or damaged'
    return new AppError('INVALID_BODY', `${path} can't be restored: ${why}`, { cause: fault })
  }
  if (!(fault instanceof AppError) || fault.code !== 'INVALID_BODY') return fault
  return new AppError('INVALID_BODY', `${path} can't be restored: ${messageOf(fault)}`, { cause: fault })
}

async function readEntries(entries: AsyncGenerator<TarEntry>, options: ReadingOptions): Promise<Manifest> {
  const manifest = readManifest(await manifestText(entries), options.version)
  options.onManifest?.(manifest)
  for (const file of manifest.files) {
    const { value: entry } = await entries.next()
    if (!entry || entry.name !== file.path || entry.bytes !== file.bytes) throw unlike(file.path)
    const { onFile = drain } = options
    const hash = createHash('sha256')
    await onFile(file, hashed(entry.content(), hash))
    if (hash.digest('hex') !== file.sha256) throw unlike(file.path)
  }
  const { value: more } = await entries.next()
  if (more) throw unlike(more.name)
  return manifest
}

async function manifestText(entries: AsyncGenerator<TarEntry>): Promise<string> {
  const { value: entry } = await entries.next()
  if (!entry || entry.name !== MANIFEST || entry.bytes > MOST_MANIFEST_BYTES) {
    throw new AppError('INVALID_BODY', 'it is no backup of msvc')
  }
  const parts: Uint8Array[] = []
  for await (const part of entry.content()) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

function unlike(path: string): AppError {
  return new AppError('INVALID_BODY', `${path} is not what its manifest says: it is damaged, or was changed`)
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>) {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

async function drain(_file: StoredFile, content: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of content);
}
