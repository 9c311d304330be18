import { JWKS_PATH } from '../../kit/auth/key-set.ts'

/** Where a service's token is renewed (RFC 8693). */
export const TOKEN_PATH = '/oauth/token'
/** Where a token is revoked (RFC 7009). */
export const REVOKE_PATH = '/oauth/revoke'

const AGGREGATE_PATH = /^\/gateway\/api\/users\/[^/]+\/orders$/

/** Methods of the paths within the routes that the gateway answers itself, as in an Allow header; undefined for every other path. */
export function ownMethods(path: string): string | undefined {
  if (path === TOKEN_PATH || path === REVOKE_PATH) return 'POST'
  if (path === JWKS_PATH) return 'GET, HEAD'
  return path.endsWith('/orders') && AGGREGATE_PATH.test(path) ? 'GET, HEAD' : undefined
}
