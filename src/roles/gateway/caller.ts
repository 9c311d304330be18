import type { IncomingHttpHeaders } from 'node:http'
import { type Caller, NOBODY } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import type { Identity } from '../../kit/auth/identity.ts'
import { wantSomebody } from '../../kit/auth/ownership.ts'
import { demandScopes } from '../../kit/auth/scope-demand.ts'
import { bearerToken } from '../../kit/middleware/auth.ts'
import type { Access } from './route-table.ts'

/**
 * Finds out who sends a request and whether they may. A public method needs no token, but a token that comes along is
 * checked, and one that is bad is refused rather than overlooked.
 * @param service the audience a token must be meant for
 * @returns at once what can be known at once: nobody, or the identity of a token seen lately; else a promise of it
 * @throws AppError `UNAUTHENTICATED` for a missing or bad token, `FORBIDDEN` when a scope is missing; a returned promise rejects with these
 */
export function identify(
  { authorization }: Pick<IncomingHttpHeaders, 'authorization'>,
  access: Access,
  authority: Authority,
  service: string,
): Caller | Promise<Caller> {
  if (access === 'public' && (!authorization || OTHER_SCHEME.test(authorization))) return NOBODY
  const token = bearerToken(authorization)
  const known = authority.recall(token, service)
  if (known) return admitted(known, access)
  return authority.verify(token, service).then((identity) => admitted(identity, access))
}

/** Credentials that are well formed and no bearer's (RFC 9110 §11.4): none of the gateway's business. */
const OTHER_SCHEME = /^(?!bearer )[\w!#$%&'*+.^`|~-]+ +\S/i

function admitted(identity: Identity, access: Access): Caller {
  if (identity.passesOn) {
    // whom another gateway asks for isn't read at this door
    if (access !== 'public') wantSomebody(NOBODY, 'A token for what others ask is nobody’s own')
    return NOBODY
  }
  if (typeof access !== 'string') demandScopes(identity, access)
  return identity
}
