import type { Context } from 'hono'
import type { Caller } from '../auth/asker.ts'
import { currentScope } from '../telemetry/scope.ts'
import { addressGroup } from './address-group.ts'
import type { AppEnv } from './app-env.ts'

/** Most characters of a program's name, or of where it comes from, that are looked at. */
const MAX_AGENT = 200

/**
 * The key of a caller's share, such as a rate bucket: of what kind he is and his name, as a person may be called like a service; nobody's is where he
 * comes from, an IPv6 client's /64 being one (`addressGroup`).
 */
export function callerKey(caller: Caller, address: string): string {
  if (caller.is !== 'nobody') return `${caller.is} ${caller.subject}`
  return `nobody ${addressGroup(address)}`
}

/**
 * Whose share a request takes at a role: `callerKey`. Without tokens everybody is at the same address, this machine's, and a program is told from the
 * others by what it says of itself (User-Agent): it is believed there for everything else too. Who is nobody comes through a gateway, which says
 * from where; what he says of himself counts for nothing.
 */
export function callerName(c: Context<AppEnv>): string {
  const asker = currentScope()?.asker
  if (asker && asker.is !== 'local') {
    // the first is the client's, those behind it proxies'
    const [client = ''] = (c.req.header('x-forwarded-for') ?? '').slice(0, MAX_AGENT).split(',', 1)
    return callerKey(asker, client.trim())
  }
  const address = c.env?.exchange?.incoming.socket.remoteAddress ?? ''
  return `${address} ${(c.req.header('user-agent') ?? '').slice(0, MAX_AGENT)}`
}
