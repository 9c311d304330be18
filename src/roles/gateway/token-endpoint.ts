import type { Context } from 'hono'
import { type Caller, NOBODY } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { AppError, type AppErrorOptions, type ErrorCode } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { readBody } from '../../kit/http/body.ts'
import { callerKey } from '../../kit/http/caller-name.ts'
import { ACCESS_TOKEN, TOKEN_EXCHANGE } from './contract.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import { TOKEN_PATH } from './own-paths.ts'
import { type Limiter, overLimit } from './rate-limits.ts'

const FORM = /^application\/x-www-form-urlencoded *(?:;|$)/i
/** Room for a token, and for lists of scopes and audiences, bytes. */
const MAX_BYTES = 16_384

/** What the endpoint works with. */
export interface TokenEndpointOptions {
  readonly authority: Pick<Authority, 'verify' | 'renew'>
  /** The gateway's own registered name: what it renews must be for it too. */
  readonly service: string
  /** Limits a service as its other writes are limited, by what holds now; undefined: no limit. */
  readonly limiter: () => Limiter | undefined
  readonly metrics: Pick<GatewayMetrics, 'limited'>
}

/**
 * Makes the handler of `POST /oauth/token`: gives a service a fresh token for the one that it shows, as a token exchange (RFC 8693) whose
 * `scope` and `audience` may ask for less. A problem's `error` is one of RFC 6749 §5.2's words.
 */
export function tokenEndpoint({ authority, service, limiter, metrics }: TokenEndpointOptions) {
  async function limit(caller: Caller, address: string): Promise<void> {
    const taken = await limiter()?.take(callerKey(caller, address))
    const error = taken && overLimit(taken)
    if (!error) return
    metrics.limited(TOKEN_PATH)
    throw error
  }

  return async function renewToken(c: Context<AppEnv>): Promise<Response> {
    const { token, ...wish } = readRequest(await readForm(c))
    // where he comes from first: looking at a signature costs more than anything else here
    await limit(NOBODY, c.env?.exchange?.client ?? '')
    try {
      await limit(await authority.verify(token, service), '')
      const renewed = await authority.renew(token, service, wish)
      return c.json(
        {
          access_token: renewed.token,
          issued_token_type: ACCESS_TOKEN,
          token_type: 'Bearer',
          expires_in: renewed.expiresIn,
          scope: renewed.scopes.join(' '),
        },
        200,
        { 'cache-control': 'no-store' },
      )
    } catch (fault) {
      const isToken = fault instanceof AppError && (fault.code === 'UNAUTHENTICATED' || fault.code === 'FORBIDDEN')
      throw isToken ? refused(fault.detail, { code: fault.code, headers: fault.headers, cause: fault }) : fault
    }
  }
}

/** The fields of a form. Throws AppError `UNSUPPORTED_MEDIA_TYPE` for what is none, `BODY_TOO_LARGE`. */
export async function readForm(c: Context<AppEnv>): Promise<URLSearchParams> {
  if (FORM.test(c.req.header('content-type') ?? ''))
    return new URLSearchParams((await readBody(c, MAX_BYTES)).toString())
  const detail = 'A form is wanted: Content-Type: application/x-www-form-urlencoded'
  throw refused(detail, { code: 'UNSUPPORTED_MEDIA_TYPE' })
}

/** What the form asks for. Throws AppError `INVALID_REQUEST`. */
function readRequest(form: URLSearchParams) {
  /** RFC 6749 §3.2: what is empty counts as left out, and nothing but an audience comes twice. */
  const field = (name: string): string | undefined => {
    const [value, ...more] = form.getAll(name)
    if (more.length > 0) throw refused(`${name} is given twice`)
    return value || undefined
  }
  const grant = field('grant_type')
  if (grant !== TOKEN_EXCHANGE) {
    const error = grant === undefined ? 'invalid_request' : 'unsupported_grant_type'
    throw refused(`grant_type=${TOKEN_EXCHANGE} is the one there is`, { error })
  }
  const token = field('subject_token')
  if (token === undefined) throw refused('subject_token is missing: the token to be renewed')
  if (field('subject_token_type') !== ACCESS_TOKEN) throw refused(`subject_token_type=${ACCESS_TOKEN} is wanted`)
  if ((field('requested_token_type') ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
    throw refused(`requested_token_type=${ACCESS_TOKEN} is the one there is`)
  }
  if (field('actor_token') !== undefined) throw refused('actor_token: nobody renews a token for another')
  if (form.get('resource')) {
    throw refused('resource: a target is named by audience here', { error: 'invalid_target' })
  }
  const scopes = field('scope')?.split(' ').filter(Boolean)
  const audiences = form.getAll('audience').filter(Boolean)
  return {
    token,
    ...(scopes && { scopes: [...new Set(scopes)] }),
    ...(audiences.length > 0 && { audiences: [...new Set(audiences)] }),
  }
}

/** @param how `error`: a word of RFC 6749 §5.2; RFC 8693 §2.2.2 wants invalid_request for a bad token too */
function refused(
  detail: string,
  how: AppErrorOptions & { readonly error?: string; readonly code?: ErrorCode } = {},
): AppError {
  const { error = 'invalid_request', code = 'INVALID_REQUEST', ...options } = how
  return new AppError(code, error, { ...options, detail })
}
