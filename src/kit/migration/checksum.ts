import { hash } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Collection, KeptRow } from '../kept-data.ts'
import { rowBatches } from './row-batches.ts'

/** What rows come to, whatever their order: how many there are, and the sum of their digests. */
export interface Checksum {
  readonly rows: number
  /** 16 hexadecimal digits. */
  readonly sum: string
}

/**
 * The checksum of all rows of a collection: of each row the first 64 bits of a SHA-256 over its columns, summed up modulo 2^64. Values count as what they are in
 * either kind of database: false as 0, bytes by their Base64. Rejects with DriverError, and the signal's reason.
 * @param onRead told how many more rows were read
 */
export async function checksumOf(
  db: Kysely<unknown>,
  collection: Collection,
  { signal, onRead }: { readonly signal: AbortSignal; readonly onRead?: (rows: number) => void },
): Promise<Checksum> {
  let sum = 0n
  let rows = 0
  for await (const batch of rowBatches(db, collection, { signal })) {
    for (const row of batch) sum = BigInt.asUintN(64, sum + digestOf(row))
    rows += batch.length
    onRead?.(batch.length)
  }
  return { rows, sum: sum.toString(16).padStart(16, '0') }
}

function digestOf(row: KeptRow): bigint {
  const columns = Object.keys(row).sort()
  const text = JSON.stringify(columns.map((column) => [column, canonical(row[column])]))
  return hash('sha256', text, 'buffer').readBigUInt64BE()
}

/** A value as JSON tells it apart from any other. */
function canonical(value: unknown): unknown {
  if (typeof value === 'boolean') return ['number', value ? '1' : '0']
  // JSON has no words for those that aren't finite
  if (typeof value === 'number') return ['number', String(value)]
  if (ArrayBuffer.isView(value))
    return ['bytes', Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')]
  return value ?? null
}
