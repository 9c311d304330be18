import type { Context, MiddlewareHandler } from 'hono'
import { describeRoute, resolver } from 'hono-openapi'
import * as z from 'zod'
import { isAnotherService } from '../../kit/auth/ownership.ts'
import { AppError } from '../../kit/errors.ts'
import { parseJson, readBody } from '../../kit/http/body.ts'
import { inputFaults } from '../../kit/input-faults.ts'
import type { AppEnv } from '../../kit/role.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'

/** Largest batch in bytes. */
const MAX_BATCH_BYTES = 8 * 1_048_576
/** Most items in a batch: storing them is a tenth of a second in which nobody else is answered. */
const MAX_BATCH = 10_000
const NEWLINE = 0x0a

/**
 * Reads a batch of items from a request: a JSON array, one JSON object, or a JSON object a line (NDJSON, which is known by its content type or
 * by its second line). Throws AppError `INVALID_BODY`, `BODY_TOO_LARGE` (8 MiB), `INVALID_REQUEST` (more than 10 000 items).
 */
export async function readBatch(c: Context<AppEnv>): Promise<readonly unknown[]> {
  const body = await readBody(c, MAX_BATCH_BYTES)
  if (/ndjson|jsonl/i.test(c.req.header('content-type') ?? '') || hasSeveralDocuments(body)) return parseLines(body)
  const value = parseJson(body)
  return Array.isArray(value) ? bounded(value) : [value]
}

function bounded(items: readonly unknown[]): readonly unknown[] {
  if (items.length <= MAX_BATCH) return items
  throw new AppError('INVALID_REQUEST', `A batch holds at most ${MAX_BATCH} items; send several`)
}

/** Documents a route's body as a batch, for /openapi.json; `readBatch` reads it. */
export function takesBatchOf(item: z.ZodType): MiddlewareHandler {
  const input = { io: 'input' }
  const content = {
    'application/json': { schema: resolver(z.union([z.array(item), item]), input) },
    'application/x-ndjson': { schema: resolver(item, input) },
  }
  return describeRoute({ requestBody: { required: true, content } })
}

/**
 * Checks each item. Throws AppError `INVALID_REQUEST` for the first that doesn't fit, saying which it is (counted from 0) and why: a batch is
 * stored whole or not at all.
 */
export function parseBatch<S extends z.ZodType>(schema: S, items: readonly unknown[], invalid: string): z.output<S>[] {
  return items.map((item, index) => {
    const result = schema.safeParse(item)
    if (result.success) return result.data
    const faults = inputFaults(result.error).join('; ')
    throw new AppError('INVALID_REQUEST', invalid, { detail: `${invalid} at index ${index}: ${faults}` })
  })
}

/** Refuses a batch in which a service writes in another one's name. Throws AppError `FORBIDDEN` for the first such item, counted from 0. */
export function wantOwn(items: readonly { readonly service: string }[]): void {
  const asker = currentScope()?.asker
  const index = items.findIndex(({ service }) => isAnotherService(asker, service))
  if (index < 0) return
  throw new AppError('FORBIDDEN', 'A service writes only in its own name', {
    detail: `The item at index ${index} is ${items[index]?.service}'s, and this token is not`,
  })
}

/** An object that begins on the line after another one's end: no single JSON document holds that. */
function hasSeveralDocuments(body: Buffer): boolean {
  const end = body.indexOf(NEWLINE)
  if (end < 0 || end + 1 === body.length) return false
  const first = body.toString('latin1', 0, end).trim()
  return first.startsWith('{') && first.endsWith('}') && /^\s*\{/.test(body.toString('latin1', end + 1, end + 65))
}

function parseLines(body: Buffer): readonly unknown[] {
  const items: unknown[] = []
  for (let at = 0; at < body.length && items.length <= MAX_BATCH; ) {
    const newline = body.indexOf(NEWLINE, at)
    const end = newline < 0 ? body.length : newline
    while (at < end && isBlank(body[at])) at++
    const line = at < end ? body.subarray(at, end) : undefined
    at = end + 1
    if (line === undefined) continue
    try {
      items.push(parseJson(line))
    } catch (cause) {
      const why = cause instanceof AppError ? cause.message.replace('The body', 'it') : 'it is not valid JSON'
      throw new AppError('INVALID_BODY', `The line at index ${items.length} is no JSON document: ${why}`, { cause })
    }
  }
  return bounded(items)
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d
}
