import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../drivers/clock.ts'
import { DEADLINE_HEADER } from '../client/outgoing-headers.ts'
import type { Exchange, Layer } from '../http/exchange.ts'
import { isProbe } from '../http/probes.ts'
import { statusOf } from '../http/status-of.ts'
import { type B3Fields, readB3, readTraceContext } from '../telemetry/trace-context.ts'
import type { SpanContext, Tracing } from '../telemetry/tracing.ts'

/** What makes the spans, and what tells how long a caller waits. */
export interface TracingLayerOptions {
  readonly tracing: Tracing
  readonly clock: Pick<Clock, 'monotonic'>
}

/**
 * Puts each request into a trace: the caller's (W3C Trace Context, else the seed's X-Trace-ID and X-Span-ID, 9.7.9, else B3) or a new one. The answer carries
 * `X-Trace-ID`. Health and metrics probes begin no trace, nor does the platform's housekeeping that goes well.
 */
export function tracing({ tracing, clock }: TracingLayerOptions): Layer {
  return function tracing_(exchange) {
    const { headers } = exchange.incoming
    const parent = callersSpan(headers) ?? null
    const span = tracing.start(exchange.method, {
      kind: 'server',
      parent,
      ...(isProbe(exchange.path) && { keep: false }),
    })
    const remaining = Number(headers[DEADLINE_HEADER])
    exchange.scope = {
      span,
      requestId: exchange.requestId,
      ...(remaining > 0 && { deadline: clock.monotonic() + remaining }),
    }
    exchange.headers['x-trace-id'] = span.traceId
    return endSpan
  }
}

function endSpan(exchange: Exchange): void {
  const { scope, method, route, outgoing, path } = exchange
  const { span } = scope
  const status = statusOf(outgoing)
  const failed = status >= 500
  if (!span.sampled && !failed) return
  if (exchange.housekeeping && status < 400 && callersSpan(exchange.incoming.headers) === undefined) return
  span.rename(`${method} ${route}`)
  const cut = !outgoing.writableFinished && !exchange.openEnded
  span.end({
    failed,
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      'url.path': path,
      ...(cut && { 'http.cut': true }),
    },
  })
}

const HEX_TRACE = /^[0-9a-f]{32}$/
const HEX_SPAN = /^[0-9a-f]{16}$/

/** The caller's place in its trace, if it told one. */
function callersSpan(headers: IncomingHttpHeaders): SpanContext | undefined {
  const { traceparent, tracestate } = headers
  if (typeof traceparent === 'string')
    return readTraceContext({ traceparent, ...(typeof tracestate === 'string' && { tracestate }) })
  const traceId = String(headers['x-trace-id'] ?? '').toLowerCase()
  // node joins what comes twice, but for Set-Cookie
  if (!HEX_TRACE.test(traceId)) return readB3(headers as B3Fields)
  const spanId = String(headers['x-span-id'] ?? '').toLowerCase()
  return { traceId, spanId: HEX_SPAN.test(spanId) ? spanId : traceId.slice(16), sampled: true }
}
