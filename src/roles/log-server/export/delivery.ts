import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { parseRetryAfter } from '../../../kit/client/retry.ts'
import { AppError, codeOfStatus, messageOf } from '../../../kit/errors.ts'
import { nodeCall } from '../../../kit/http/node-call.ts'

const compress = promisify(gzip)

/** Where requests are sent to, and what goes with each. */
export interface DeliveryOptions {
  readonly url: string
  readonly type: 'application/x-protobuf' | 'application/json'
  /** Keys and the like: never shown. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Posts a request, by gzip. Rejects with an AppError that says what the target answered, with its `Retry-After` where it named one, or why there was no answer.
 */
export async function deliver(
  body: string | Uint8Array,
  { url, type, headers }: DeliveryOptions,
  signal: AbortSignal,
): Promise<void> {
  const packed = await compress(body)
  const answer = await nodeCall(url, {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': type,
      'content-encoding': 'gzip',
      'content-length': String(packed.length),
    },
    body: packed,
    signal,
  }).catch((cause: unknown) => {
    throw new AppError('UPSTREAM_FAILED', `no answer: ${messageOf(cause)}`, { cause })
  })
  answer.cancel()
  if (answer.ok) return
  const retryAfter = answer.headers.get('retry-after')
  const code = codeOfStatus(answer.status) ?? 'UPSTREAM_FAILED'
  throw new AppError(code, `it answered ${answer.status}`, {
    headers: retryAfter === null ? {} : { 'retry-after': retryAfter },
  })
}

/** Milliseconds for which a target that failed asked to be left alone. @param now milliseconds since 1970 */
export function restAskedFor(failure: unknown, now: number): number {
  return failure instanceof AppError ? parseRetryAfter(failure.headers['retry-after'] ?? '', now) : 0
}
