import type { Pick } from '../discovery/balancer.ts'
import { AppError } from '../errors.ts'
import { type InstanceFetch, neverSent } from '../upstream/instance-fetch.ts'
import { failureVerdict } from '../upstream/unreachable.ts'

/** A request whose answer is a stream. */
export interface StreamRequest extends RequestInit {
  /** Milliseconds until the answer's headers; the body may take any time. */
  readonly timeoutMs: number
  /** The client's own headers; those of `headers` come before them. */
  readonly own: Readonly<Record<string, string>>
  /** What connects. */
  readonly fetchOf: InstanceFetch
}

/**
 * Sends one request and gives the answer with its body unread. Throws AppError `UPSTREAM_FAILED`, `UPSTREAM_TIMEOUT`.
 */
export async function openStream(
  target: Pick,
  path: string,
  request: StreamRequest,
  service: string,
): Promise<Response> {
  const { timeoutMs, own, fetchOf, signal, ...init } = request
  const headers = new Headers(own)
  for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), timeoutMs)
  const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal
  try {
    const response = await fetchOf(target.instance)(target.instance.url + path, { ...init, headers, signal: either })
    target.done(response.status < 500 ? 'success' : 'failure')
    return response
  } catch (cause) {
    target.done(signal?.aborted ? 'cancelled' : failureVerdict(cause))
    const call = `${init.method ?? 'GET'} ${path} of ${service}`
    if (signal?.aborted) throw new AppError('UPSTREAM_TIMEOUT', `${call} was given up`, { cause })
    if (late.signal.aborted) throw new AppError('UPSTREAM_TIMEOUT', `${call} took too long`, { cause })
    const what = neverSent(cause) ? 'found nobody listening' : 'was cut off'
    throw new AppError('UPSTREAM_FAILED', `${call} ${what}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}
