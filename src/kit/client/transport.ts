import { createFetch } from 'ofetch'
import { ByteBlocks } from '../http/byte-blocks.ts'

/** Largest answer that is read, in bytes (10 MB). */
const MAX_ANSWER_BYTES = 10_485_760
/** Up to this size an announced answer is left to undici to gather. */
const MAX_WHOLE_BYTES = 4_096

interface TransportRequest {
  readonly url: string
  readonly method: string
  readonly headers: Record<string, string>
  /** JSON text. */
  readonly body?: string | undefined
  /** Milliseconds until the last byte of the answer. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** An answer as it came, whatever its status. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Why there is no answer.
 * - `refused`: no connection came about, so nothing was sent and the request may go elsewhere, whatever its method.
 * - `timeout`: the time was up.
 * - `broken`: the connection failed with the request on its way; it may have been carried out.
 * - `too-large`: the answer is longer than what is read.
 * - `aborted`: the caller gave up.
 */
export type TransportFault = 'refused' | 'timeout' | 'broken' | 'too-large' | 'aborted'

/** No answer came, or not a whole one. `cause` is the network's own error. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly fault: TransportFault

  constructor(fault: TransportFault, options?: ErrorOptions) {
    super(fault, options)
    this.fault = fault
  }
}

/** Sends single requests, without a thought for whether they may be repeated. */
export interface Transport {
  /** Sends one request and reads its whole answer. Rejects with TransportError. */
  send(request: TransportRequest): Promise<Answer>
  /** Ends what is under way (`aborted`), and what is sent from now on. */
  close(): void
}

/**
 * HTTP/1.1 over kept-alive connections (ofetch over Node's fetch), without its retries, redirects and body guessing: one
 * request, one answer.
 * @param fetch what connects, see `createGuardedFetch`
 */
export function createTransport(fetch: typeof globalThis.fetch): Transport {
  const fetcher = createFetch({ fetch, Headers, AbortController })
  const underWay = new Set<() => void>()
  let closed = false

  async function send({ url, method, headers, body, timeoutMs, signal }: TransportRequest): Promise<Answer> {
    const controller = new AbortController()
    let over: 'timeout' | 'aborted' | undefined
    const timer = setTimeout(() => {
      over ??= 'timeout'
      controller.abort()
    }, timeoutMs)
    const abort = () => {
      over ??= 'aborted'
      controller.abort()
    }
    signal?.addEventListener('abort', abort, { once: true })
    underWay.add(abort)
    if (closed || signal?.aborted) abort()
    try {
      const response = await fetcher.raw(url, {
        method,
        headers,
        ...(body !== undefined && { body }),
        signal: controller.signal,
        redirect: 'manual',
        retry: false,
        ignoreResponseError: true,
        responseType: 'stream',
      })
      return { status: response.status, headers: response.headers, text: await readBounded(response) }
    } catch (cause) {
      controller.abort()
      if (over) throw new TransportError(over, { cause })
      if (cause instanceof TransportError) throw cause
      throw new TransportError(neverSent(cause) ? 'refused' : 'broken', { cause })
    } finally {
      clearTimeout(timer)
      underWay.delete(abort)
      signal?.removeEventListener('abort', abort)
    }
  }

  return {
    send,
    close() {
      closed = true
      for (const abort of underWay) abort()
    },
  }
}

async function readBounded(response: Response): Promise<string> {
  const { body, headers } = response
  if (!body) return ''
  const length = headers.get('content-length')
  // A packed body's length says nothing about what it unpacks to.
  if (length !== null && headers.get('content-encoding') === null) {
    if (Number(length) > MAX_ANSWER_BYTES) throw new TransportError('too-large')
    if (Number(length) <= MAX_WHOLE_BYTES) return response.text()
  }
  const answer = new ByteBlocks()
  for await (const chunk of body) {
    answer.push(chunk)
    if (answer.size > MAX_ANSWER_BYTES) throw new TransportError('too-large')
  }
  return answer.take().toString('utf8')
}

/** Error codes that come before a connection stands. */
const BEFORE_CONNECTION = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** True when the error, or one that caused it, says that no connection came about. */
export function neverSent(thrown: unknown): boolean {
  for (let fault = thrown; fault instanceof Error; fault = fault.cause) {
    if ('code' in fault && typeof fault.code === 'string' && BEFORE_CONNECTION.has(fault.code)) return true
  }
  return false
}
