import type { Context } from 'hono'
import { identityOf } from '../auth/asker.ts'
import type { AppEnv } from '../role.ts'
import { currentScope } from '../telemetry/scope.ts'

/** Most characters of a program's name, or of where it comes from, that are looked at. */
const MAX_AGENT = 200

/**
 * Whose share a request takes: its verified token's subject, else its address. Without tokens everybody is at the same one, this machine's, and a
 * program is told from the others by what it says of itself (User-Agent): it is believed there for everything else too. Who is nobody comes through
 * a gateway, which says from where; what he says of himself counts for nothing.
 */
export function callerName(c: Context<AppEnv>): string {
  const asker = currentScope()?.asker
  const subject = identityOf(asker)?.subject
  if (subject !== undefined) return `subject ${subject}`
  if (asker?.is === 'nobody') return `nobody ${(c.req.header('x-forwarded-for') ?? '').slice(0, MAX_AGENT)}`
  const address = c.env?.exchange?.incoming.socket.remoteAddress ?? ''
  return `${address} ${(c.req.header('user-agent') ?? '').slice(0, MAX_AGENT)}`
}
