import type { Context } from 'hono'
import { NOBODY } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { callerKey } from '../../kit/http/caller-name.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import { REVOKE_PATH } from './own-paths.ts'
import { type Limiter, overLimit } from './rate-limits.ts'
import type { Revocations } from './revocations.ts'
import { readForm } from './token-endpoint.ts'

/** What the endpoint works with. */
export interface RevocationEndpointOptions {
  readonly authority: Pick<Authority, 'referenceOf'>
  /** The gateway's own registered name: what it revokes must be for it too. */
  readonly service: string
  /** Limits an address as its other writes are limited, by what holds now; undefined: no limit. */
  readonly limiter: () => Limiter | undefined
  readonly metrics: Pick<GatewayMetrics, 'limited'>
  readonly revocations: Pick<Revocations, 'revoke'>
}

/**
 * Makes the handler of `POST /oauth/revoke` (RFC 7009): whoever shows a token in a form ends it. One that wouldn't be taken anyway is as good as revoked
 * (§2.2). Answers once all gateways can know, half a second later at the latest.
 */
export function revocationEndpoint({ authority, service, limiter, metrics, revocations }: RevocationEndpointOptions) {
  return async function revokeToken(c: Context<AppEnv>): Promise<Response> {
    const [token, ...more] = (await readForm(c)).getAll('token')
    if (!token || more.length > 0) {
      throw new AppError('INVALID_REQUEST', 'invalid_request', {
        detail: 'token=… is wanted, once: the token to be revoked',
      })
    }
    const taken = await limiter()?.take(callerKey(NOBODY, c.env?.exchange?.client ?? ''))
    const over = taken && overLimit(taken)
    if (over) {
      metrics.limited(REVOKE_PATH)
      throw over
    }
    const reference = await authority.referenceOf(token, service)
    if (reference) await revocations.revoke(reference.id, reference.until)
    return c.body(null, 200, { 'cache-control': 'no-store' })
  }
}
