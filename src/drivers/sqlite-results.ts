/** SQLite's primary result codes by name; an extended code has one of them in its low byte. https://sqlite.org/rescode.html */
export const RESULT = {
  ERROR: 1,
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  NOMEM: 7,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  TOOBIG: 18,
  CONSTRAINT: 19,
  MISMATCH: 20,
  MISUSE: 21,
  AUTH: 23,
  RANGE: 25,
  NOTADB: 26,
} as const

/**
 * SQLite calls only ENOSPC "full". A quota (EDQUOT) and a file-size limit (EFBIG) come as a write error, and a disk
 * without room for the index of the write-ahead log as one of size.
 */
const IOERR_WRITE = 778
const IOERR_SHMSIZE = 4874
const NO_ROOM: ReadonlySet<number> = new Set([RESULT.FULL, IOERR_WRITE, IOERR_SHMSIZE])

/** The file ends before a page that is in it. */
const IOERR_SHORT_READ = 522

/** The extended result code of what node:sqlite threw; undefined for any other error. */
export function resultCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined
}

/** The primary result code of what node:sqlite threw; undefined for any other error. */
export function primaryResult(error: unknown): number | undefined {
  const code = resultCode(error)
  return code === undefined ? undefined : code & 0xff
}

/** True when the file isn't what it should be: parts of it are overwritten or missing, or it never was a database. */
export function isCorrupt(error: unknown): boolean {
  const result = primaryResult(error)
  return result === RESULT.CORRUPT || result === RESULT.NOTADB || resultCode(error) === IOERR_SHORT_READ
}

/** True when a lock could not be had because another connection holds it. */
export function isBusy(error: unknown): boolean {
  return primaryResult(error) === RESULT.BUSY
}

/** True when there was no room to write, whether SQLite said so or node:fs, with which the file is made. */
export function isOutOfRoom(error: unknown): boolean {
  const code = resultCode(error)
  if (code !== undefined) return NO_ROOM.has(code)
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
