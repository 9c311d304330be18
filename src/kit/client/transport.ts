import type { $Fetch } from 'ofetch'
import type { Instance } from '../discovery/directory.ts'
import { ByteBlocks } from '../http/byte-blocks.ts'
import { ABSENT, type Enrolled, Roster } from '../roster.ts'
import { type InstanceFetch, neverSent } from '../upstream/instance-fetch.ts'

/** Largest answer that is read, in bytes (10 MB). */
const MAX_ANSWER_BYTES = 10_485_760
/** Up to this size an announced answer is left to the response to gather. */
const MAX_WHOLE_BYTES = 4_096

interface TransportRequest {
  readonly instance: Instance
  /** Path and query, from the instance's URL on. */
  readonly target: string
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

/** A request that isn't over. */
class UnderWay implements Enrolled {
  place = ABSENT
  over: 'timeout' | 'aborted' | undefined
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(timeoutMs: number) {
    this.#timer = setTimeout(() => this.#end('timeout'), timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly abort = () => this.#end('aborted')

  /** Its answer was read, or won't be. */
  leave(): void {
    clearTimeout(this.#timer)
  }

  #end(why: 'timeout' | 'aborted'): void {
    this.over ??= why
    this.#controller.abort()
  }
}

/**
 * HTTP/1.1 over kept-alive connections (ofetch over the instances' own fetch), without ofetch's retries and body guessing: one
 * request, one answer.
 * @param fetchOf what connects, see `createInstanceFetch`
 */
export function createTransport(fetchOf: InstanceFetch): Transport {
  const fetchers = new WeakMap<Instance, $Fetch>()
  const underWay = new Roster<UnderWay>()
  let closed = false

  async function fetcherOf(instance: Instance): Promise<$Fetch> {
    // at the first call, not at the start: it brings node's whole fetch
    const { createFetch } = await import('ofetch')
    const made = createFetch({ fetch: fetchOf(instance), Headers, AbortController })
    fetchers.set(instance, made)
    return made
  }

  async function send(request: TransportRequest): Promise<Answer> {
    const { instance, target, method, headers, body, timeoutMs, signal } = request
    const one = new UnderWay(timeoutMs)
    signal?.addEventListener('abort', one.abort, { once: true })
    underWay.add(one)
    if (closed || signal?.aborted) one.abort()
    try {
      const fetcher = fetchers.get(instance) ?? (await fetcherOf(instance))
      const response = await fetcher.raw(instance.url + target, {
        method,
        headers,
        ...(body !== undefined && { body }),
        signal: one.signal,
        retry: false,
        ignoreResponseError: true,
        responseType: 'stream',
      })
      return { status: response.status, headers: response.headers, text: await readBounded(response) }
    } catch (cause) {
      const { over } = one
      one.abort()
      if (over) throw new TransportError(over, { cause })
      if (cause instanceof TransportError) throw cause
      throw new TransportError(neverSent(cause) ? 'refused' : 'broken', { cause })
    } finally {
      one.leave()
      underWay.remove(one)
      signal?.removeEventListener('abort', one.abort)
    }
  }

  return {
    send,
    close() {
      closed = true
      underWay.each((one) => one.abort())
    },
  }
}

async function readBounded(response: Response): Promise<string> {
  const { body, headers } = response
  if (!body) return ''
  const length = headers.get('content-length')
  if (length !== null) {
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
