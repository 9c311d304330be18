import { isIP } from 'node:net'
import { isLoopbackName } from '../discovery/address-rule.ts'
import { AppError } from '../errors.ts'
import type { Exchange, Layer } from '../http/exchange.ts'
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
  /** Foreign origins that may call, such as `https://shop.example`; those of this machine's other ports among them. */
  readonly origins: readonly string[]
  /** Whether pages elsewhere may link to it: then a browser's `Sec-Fetch-Site` isn't looked at, its Origin all the same. */
  readonly linkable: boolean
}

/** Hosts remembered as good; a client that makes up names can't grow it further. */
const MAX_REMEMBERED = 256

/**
 * Refuses requests whose target nobody can be sure of (RFC 9112 §3.2), and those that a web page elsewhere made a browser send: a Host
 * that isn't ours (DNS rebinding), a foreign Origin, and whatever the browser itself says comes from elsewhere (Fetch Metadata).
 */
export function guard({ hosts, loopback, addresses, origins, linkable }: GuardOptions): Layer {
  const names = new Set(hosts.map((name) => name.toLowerCase().replace(/\.$/, '')))
  const allowedOrigins = new Set(origins)
  const good = new Map<string, string>()

  /** A Host of ours as a URL has it (`[::1]` however its zeros are written, no empty port); undefined when it isn't ours. */
  function ourHost(host: string): string | undefined {
    const known = good.get(host)
    if (known !== undefined) return known
    const name = hostName(host)
    const ours =
      name !== undefined && (names.has(name) || (loopback && isLoopbackName(name)) || (addresses && isAddress(name)))
    const written = ours ? URL.parse(`http://${host}`)?.host : undefined
    if (written !== undefined && good.size < MAX_REMEMBERED) good.set(host, written)
    return written
  }

  function refusal({ incoming, path }: Exchange): AppError | undefined {
    const target = targetFault(path)
    if (target !== undefined) return new AppError('INVALID_PATH', 'Invalid path', { detail: `The path has ${target}` })
    const { headers } = incoming
    const { origin, expect, 'sec-fetch-site': site } = headers
    const host = headers.host === undefined ? undefined : ourHost(headers.host)
    if (host === undefined && headers.host !== undefined) return HOST_REFUSED
    // whoever comes behind reads the same name
    if (host !== undefined && host !== headers.host) headers.host = host
    const allowed = origin !== undefined && allowedOrigins.has(origin)
    if (origin !== undefined && !allowed && !isOwn(origin, host)) return ORIGIN_REFUSED
    // what isn't known counts as elsewhere, as several values do
    if (site !== undefined && !allowed && !linkable && site !== 'same-origin' && site !== 'none') return SITE_REFUSED
    if (expect !== undefined && incoming.httpVersion === '1.1' && expect.toLowerCase() !== '100-continue')
      return EXPECTS
    return undefined
  }

  return function guard(exchange) {
    // it has its answer already
    if (exchange.fault) return undefined
    const error = refusal(exchange)
    if (error === undefined) return undefined
    answerProblem(exchange, error)
    return false
  }
}

const HOST_REFUSED = new AppError('HOST_REFUSED', 'This Host is not served here', {
  detail: 'Add the name to auth.hosts to serve it',
})
const ORIGIN_REFUSED = new AppError('ORIGIN_REFUSED', 'This Origin may not call here', {
  detail: 'Add it to auth.origins to allow it',
})
const SITE_REFUSED = new AppError('ORIGIN_REFUSED', 'Pages of other sites may not call here', {
  detail:
    'The browser says that this request comes from elsewhere (Sec-Fetch-Site); auth.origins names pages that may call',
})
/** RFC 9110 §10.1.1: no other expectation is known. */
const EXPECTS = new AppError('EXPECTATION_FAILED', 'This expectation can not be met', {
  detail: 'Only Expect: 100-continue is understood',
})

/** Whether an Origin is the one that the request itself was sent to; TLS may end before us. */
function isOwn(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)
}

/** The name in a Host header, lower case, without its port and the dot of a complete name; undefined when it isn't one. */
function hostName(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{0,5})?$/i.exec(host)?.[1]?.toLowerCase()
}

const isAddress = (name: string) => isIP(name.replace(/^\[|\]$/g, '')) !== 0
