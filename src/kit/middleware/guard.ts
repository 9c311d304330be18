import { isIP, type Socket } from 'node:net'
import { AppError } from '../errors.ts'
import type { Layer } from '../http/exchange.ts'
import { type FramingFault, framingFault } from '../http/framing.ts'
import { answerProblem } from '../http/problem.ts'
import { targetFault } from '../http/request-target.ts'

/** Whom a role serves, and which pages may call it. */
export interface GuardOptions {
  /** Names that a Host header may have. */
  readonly hosts: readonly string[]
  /** Whether loopback names are accepted. */
  readonly loopback: boolean
  /** Whether an IP address is accepted in place of a name: no page can have one rebound. */
  readonly addresses: boolean
  /** Foreign origins that may call, such as `https://shop.example`. */
  readonly origins: readonly string[]
}

/** Host names remembered as good; a client that makes up names can't grow it further. */
const MAX_REMEMBERED = 256

/**
 * Refuses requests whose end or target nobody can be sure of (RFC 9112 §3.2, §6), and those that a web page elsewhere made a browser
 * send: a Host that isn't ours (DNS rebinding) and a foreign Origin.
 */
export function guard({ hosts, loopback, addresses, origins }: GuardOptions): Layer {
  /** Connections on which a badly framed request came: what follows it there is not looked at. */
  const doomed = new WeakSet<Socket>()
  const names = new Set(hosts.map((name) => name.toLowerCase()))
  const allowedOrigins = new Set(origins)
  const good = new Set<string>()

  function isOurs(host: string): boolean {
    if (good.has(host)) return true
    const name = hostName(host)
    const ours =
      name !== undefined && (names.has(name) || (loopback && isLoopbackName(name)) || (addresses && isAddress(name)))
    if (ours && good.size < MAX_REMEMBERED) good.add(host)
    return ours
  }

  function isAllowedOrigin(origin: string): boolean {
    if (allowedOrigins.has(origin)) return true
    const name = URL.canParse(origin) ? new URL(origin).hostname : undefined
    return loopback && name !== undefined && isLoopbackName(name)
  }

  return function guard(exchange) {
    const { incoming } = exchange
    if (doomed.has(incoming.socket)) return false
    const fault = framingFault(incoming)
    if (fault) {
      doomed.add(incoming.socket)
      answerProblem(exchange, badFraming(fault))
      return false
    }
    const target = targetFault(exchange.path)
    if (target !== undefined) {
      answerProblem(exchange, new AppError('INVALID_PATH', 'Invalid path', { detail: `The path has ${target}` }))
      return false
    }
    const { host, origin } = incoming.headers
    if (host !== undefined && !isOurs(host)) {
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

function badFraming({ status, reason }: FramingFault): AppError {
  const code = status === 501 ? 'NOT_IMPLEMENTED' : 'INVALID_REQUEST'
  return new AppError(code, reason, { headers: { connection: 'close' } })
}

/** The name in a Host header, lower case, without its port; undefined when it isn't one. */
function hostName(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host)?.[1]?.toLowerCase()
}

const isAddress = (name: string) => isIP(name.replace(/^\[|\]$/g, '')) !== 0

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
