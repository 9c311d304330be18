import type { Context } from 'hono'
import * as z from 'zod'
import type { Asker } from '../../kit/auth/asker.ts'
import { isAnotherService } from '../../kit/auth/ownership.ts'
import { AppError } from '../../kit/errors.ts'
import { memberOf, NUMBERS_IN_WORDS, parseLiteral } from '../../kit/exact-json.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { MAX_BATCH_BYTES, MAX_ITEM_BYTES, readArray, readLines, readOne } from '../../kit/http/batch.ts'
import { bodyText, parseJsonText, readBody } from '../../kit/http/body.ts'
import { type Sifted, sift } from '../../kit/http/sifting.ts'
import { inputFaults } from '../../kit/input-faults.ts'
import { isRecord } from '../../kit/record.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'

const NEWLINE = 0x0a
/** Most keys of one item, which is read at one go. */
const MAX_KEYS = 1_000
/** What an entry or a span only carries. */
const CARRIED = ['metadata', 'tags']

/** How a batch is read. */
interface ReadBatchOptions<S> {
  readonly schema: S
  /** What a bad item is called. */
  readonly invalid: string
  readonly atomic: boolean
  /** Makes an item of somebody else's shape one that the schema knows. Default: as it is */
  readonly adopt?: (item: unknown) => unknown
}

/**
 * Reads a batch of items from a request and checks each: a JSON array, one JSON object, or a JSON object a line (NDJSON, which is known by its
 * content type or by its second line). An item that doesn't fit, or is in another service's name, is left out and named by its index, counted from
 * 0; with `atomic`, and when none fits, the first one's fault is thrown. Throws AppError `FORBIDDEN`, or AppError `INVALID_BODY`, `BODY_TOO_LARGE` (8 MiB, one item 1 MiB), `INVALID_REQUEST` (more than 10 000 items, or `invalid`).
 */
export async function readBatch<S extends z.ZodType<{ readonly service: string }>>(
  c: Context<AppEnv>,
  { schema, invalid, atomic, adopt = (item) => item }: ReadBatchOptions<S>,
): Promise<Sifted<z.output<S>>> {
  const asker = currentScope()?.asker
  const read = (bytes: Buffer, index: number) => {
    const item = checked(schema, adopt(parsed(bytes, index)), index, invalid)
    wantOwn(asker, item.service, index)
    return item
  }
  const body = await readBody(c, MAX_BATCH_BYTES)
  const isLines = /ndjson|jsonl/i.test(c.req.header('content-type') ?? '') || hasSeveralDocuments(body)
  return sift(
    read,
    async (take) => (isLines ? readLines(body, take) : ((await readArray(body, take)) ?? readOne(body, take))),
    atomic,
  )
}

/** What `readBatch` takes, for a route that tells of it. */
export function batchOf(item: z.ZodType): Readonly<Record<string, z.ZodType>> {
  return { 'application/json': z.union([z.array(item), item]), 'application/x-ndjson': item }
}

/** Refuses an item in which a service writes in another one's name. */
function wantOwn(asker: Asker | undefined, service: string, index: number): void {
  if (!isAnotherService(asker, service)) return
  throw new AppError('FORBIDDEN', 'A service writes only in its own name', {
    detail: `The item at index ${index} is ${service}'s, and this token is not`,
  })
}

/** An object that begins on the line after another one's end: no single JSON document holds that. */
function hasSeveralDocuments(body: Buffer): boolean {
  const end = body.indexOf(NEWLINE)
  if (end < 0 || end + 1 === body.length || end > MAX_ITEM_BYTES) return false
  const first = body.toString('latin1', 0, end).trim()
  return first.startsWith('{') && first.endsWith('}') && /^\s*\{/.test(body.toString('latin1', end + 1, end + 65))
}

function parsed(bytes: Buffer, index: number): unknown {
  try {
    const text = bodyText(bytes)
    return carrying(parseJsonText(text, MAX_KEYS), text)
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause
    const why = cause.message.replace('The body', 'it')
    throw new AppError(cause.code, `The item at index ${index} is not taken: ${why}`, { cause })
  }
}

/** An item with what it only carries as it was written, numbers to the letter. @param text what the item was parsed from */
function carrying(item: unknown, text: string): unknown {
  if (!isRecord(item)) return item
  const name = CARRIED.find((name) => Object.hasOwn(item, name))
  const written = name === undefined ? undefined : memberOf(text, name)
  if (name === undefined || written === undefined || JSON.stringify(item[name]) === written) return item
  return { ...item, [name]: parseLiteral(written) }
}

function checked<S extends z.ZodType>(schema: S, item: unknown, index: number, invalid: string): z.output<S> {
  const result = schema.safeParse(item, NUMBERS_IN_WORDS)
  if (result.success) return result.data
  const faults = inputFaults(result.error).join('; ')
  throw new AppError('INVALID_REQUEST', invalid, { detail: `${invalid} at index ${index}: ${faults}` })
}
