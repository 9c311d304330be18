import { AppError } from '../errors.ts'
import type { Layer } from '../http/exchange.ts'
import { answerProblem } from '../http/problem.ts'

export interface GuardOptions {
  /** Names a Host header may have besides loopback ones. In token mode these are all there are, when there are any. */
  readonly hosts: readonly string[]
  /** Whether loopback names are accepted. */
  readonly loopback: boolean
  /** Foreign origins that may call, such as `https://shop.example`. */
  readonly origins: readonly string[]
}

/** Host names remembered as good; a client that makes up names can't grow it further. */
const MAX_REMEMBERED = 256

/**
 * Refuses requests that a web page elsewhere made a browser send: a Host that isn't ours (DNS rebinding) and a foreign Origin.
 * Two Host headers, or none, are refused too (RFC 9112 §3.2).
 */
export function guard({ hosts, loopback, origins }: GuardOptions): Layer {
  const names = new Set(hosts.map((name) => name.toLowerCase()))
  const allowedOrigins = new Set(origins)
  const good = new Set<string>()

  function isOurs(host: string): boolean {
    if (good.has(host)) return true
    const name = hostName(host)
    const ours = name !== undefined && (names.has(name) || (loopback && isLoopbackName(name)))
    if (ours && good.size < MAX_REMEMBERED) good.add(host)
    return ours
  }

  function isAllowedOrigin(origin: string): boolean {
    if (allowedOrigins.has(origin)) return true
    const name = URL.canParse(origin) ? new URL(origin).hostname : undefined
    return loopback && name !== undefined && isLoopbackName(name)
  }

  return function guard(exchange) {
    const { headers, rawHeaders } = exchange.incoming
    const { host, origin } = headers
    if (host === undefined || hostCount(rawHeaders) > 1) {
      answerProblem(
        exchange,
        new AppError('INVALID_REQUEST', 'A request has exactly one Host header', { headers: CLOSE }),
      )
      return false
    }
    if (!isOurs(host)) {
      answerProblem(
        exchange,
        new AppError('HOST_REFUSED', 'This Host is not served here', {
          detail: 'Add the name to auth.hosts to serve it',
        }),
      )
      return false
    }
    if (origin !== undefined && !isAllowedOrigin(origin)) {
      answerProblem(
        exchange,
        new AppError('ORIGIN_REFUSED', 'This Origin may not call here', {
          detail: 'Add it to auth.origins to allow it',
        }),
      )
      return false
    }
    return undefined
  }
}

const CLOSE = { connection: 'close' }

function hostCount(rawHeaders: readonly string[]): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}

/** The name in a Host header, lower case, without its port; undefined when it isn't one. */
function hostName(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host)?.[1]?.toLowerCase()
}

/** Whether a name can only mean this machine (RFC 6761 §6.3, RFC 1122 §3.2.1.3). */
export function isLoopbackName(name: string): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    name === '::1' ||
    /^127(?:\.\d{1,3}){3}$/.test(name)
  )
}
