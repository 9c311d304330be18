import { AppError } from '../errors.ts'
import type { Caller } from './asker.ts'
import type { Identity } from './identity.ts'
import { wantSomebody } from './ownership.ts'
import type { Scope } from './scopes.ts'

/**
 * For what has owners: the service that keeps it decides by who asks (`viewOf`, `wantSomebody`), nobody included. So it is a gateway's route alone
 * that says whom it lets ask; what wants any other scope takes an asker who has it himself.
 */
const OWNED: ReadonlySet<string> = new Set<Scope>([
  'users:read',
  'users:write',
  'orders:read',
  'orders:write',
  'payments:read',
])

/** Throws as `demandScopes`, and AppError `UNAUTHENTICATED` for nobody, unless an asker whom a gateway let through may have what wants these. */
export function demandOfPassedOn(asker: Caller, wanted: readonly string[]): void {
  const own = wanted.filter((scope) => !OWNED.has(scope))
  if (own.length > 0) demandScopes(wantSomebody(asker, 'This is for who has the scope himself'), own)
}

/** Throws AppError `FORBIDDEN` that names the scopes (RFC 6750 §3.1) unless the caller's token allows all of these. */
export function demandScopes(caller: Pick<Identity, 'scopes'>, wanted: readonly string[]): void {
  if (wanted.every((scope) => caller.scopes.has(scope))) return
  const needed = wanted.join(' ')
  throw new AppError('FORBIDDEN', 'Forbidden', {
    detail: `The token lacks a scope; needed: ${needed}`,
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${needed}"` },
  })
}
