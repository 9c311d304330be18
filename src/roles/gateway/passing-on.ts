import { NOBODY } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import type { Forwarded, Forwarder } from '../../kit/forwarding/forwarder.ts'
import { publishReferences } from '../../kit/forwarding/public-references.ts'
import type { HeaderFilter } from './forwarded-headers.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { LimitedRoute } from './policy.ts'
import type { RequestOrigin } from './request-origin.ts'

/** A request that has come through the gateway's door. */
export interface Admitted extends Forwarded {
  readonly way: LimitedRoute
  readonly origin: RequestOrigin
  /** The gateway's own token for the upstream, once it is there. */
  serviceToken: string | undefined
}

/** What passing on takes. */
export interface PassingOnOptions {
  /** The gateway's own registered name. */
  readonly service: string
  readonly authority: Authority
  readonly headers: HeaderFilter
  readonly metrics: GatewayMetrics
}

/** Makes what of forwarding is the gateway's own: it says who asks and where from, and shows that it may with a token of its own. */
export function passingOn({ service, authority, headers, metrics }: PassingOnOptions): Forwarder<Admitted> {
  return {
    prepare(request) {
      if (authority.mode === 'local') return undefined
      return authority.serviceToken(service, request.way.upstream, true).then((token) => {
        request.serviceToken = token
      })
    },
    requestLines({ exchange, origin, serviceToken }, upstream, waitMs) {
      const { incoming, requestId, scope } = exchange
      return headers.request(incoming.rawHeaders, upstream, {
        origin,
        requestId,
        span: scope.span,
        asker: scope.asker ?? NOBODY,
        serviceToken,
        waitMs,
      })
    },
    responseHeaders: ({ exchange, way }, { rawHeaders }, basePath) =>
      publishReferences(headers.response(rawHeaders, exchange.headers), way.strip_prefix, basePath),
    retried: ({ way }) => metrics.retried(way.upstream),
    failed: ({ way }) => metrics.failed(way.upstream),
  }
}
