import type { Clock } from '../../drivers/clock.ts'
import { DEADLINE_HEADER } from '../../kit/client/outgoing-headers.ts'
import type { Directory } from '../../kit/discovery/directory.ts'
import type { Forwarded, Forwarder } from '../../kit/forwarding/forwarder.ts'
import { passedHeaders } from '../../kit/forwarding/passed-headers.ts'
import { publishReferences } from '../../kit/forwarding/public-references.ts'
import { formatTraceparent } from '../../kit/telemetry/trace-context.ts'
import type { Door } from './config.ts'
import type { DoorTokens } from './door-tokens.ts'
import type { OutboundMetrics } from './outbound-metrics.ts'

/** A call that came to a door. */
export interface Call extends Forwarded {
  readonly door: Door
}

/** What calls are passed on with. */
export interface PassingTools {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly directory: Pick<Directory, 'instances' | 'waitFor'>
  readonly metrics: OutboundMetrics
  readonly tokens: DoorTokens
  /** Fires when the role begins to stop. */
  readonly stopping: AbortSignal
}

/** How long a call waits for the first instance to register, milliseconds: as long as the kit's client does, so that a service's restart fails none. */
const DISCOVERY_MS = 1_000

/**
 * Makes what of forwarding is the role's own. What a service says to another goes through as it came, its credentials and whom it asks for included:
 * the door has no identity to lend, and only narrows the caller's own token (door-tokens.ts). The trace's place is the door's, so that its time shows, and `Via` (RFC 9110 §7.6.3).
 */
export function passingThrough({ clock, directory, metrics, tokens, stopping }: PassingTools): Forwarder<Call> {
  const headers = passedHeaders((_, words) => OWN.has(words))
  const withoutToken = passedHeaders((_, words) => OWN.has(words) || words === 'authorization')

  function waitForInstance(upstream: string): Promise<void> | undefined {
    if (directory.instances(upstream).length > 0) return undefined
    const patience = AbortSignal.any([stopping, AbortSignal.timeout(DISCOVERY_MS)])
    return directory.waitFor(upstream, patience).then(
      () => {},
      () => {},
    )
  }

  return {
    prepare({ way: { upstream }, exchange, door }) {
      const here = waitForInstance(upstream)
      const exchanged = tokens.prepare(exchange.incoming.headers.authorization, door)
      return here && exchanged ? Promise.all([here, exchanged]).then(() => {}) : (here ?? exchanged)
    },
    requestLines({ exchange, door }, upstream) {
      const { incoming, requestId, scope } = exchange
      const { span, deadline } = scope
      const token = tokens.inPlaceOf(incoming.headers.authorization, door)
      let lines = (token === undefined ? headers : withoutToken).request(incoming.rawHeaders, upstream)
      if (token !== undefined) lines += `authorization: Bearer ${token}\r\n`
      lines += `via: ${incoming.httpVersion} outbound\r\nx-request-id: ${requestId}\r\ntraceparent: ${formatTraceparent(span)}\r\nx-trace-id: ${span.traceId}\r\nx-span-id: ${span.spanId}\r\n`
      if (span.state !== undefined) lines += `tracestate: ${span.state}\r\n`
      if (deadline === undefined) return lines
      return `${lines}${DEADLINE_HEADER}: ${Math.max(1, Math.floor(deadline - clock.monotonic()))}\r\n`
    },
    responseHeaders: ({ exchange }, { rawHeaders }, basePath) =>
      publishReferences(headers.response(rawHeaders, exchange.headers), '', basePath),
    retried: ({ door }) => metrics.retried(door),
    failed: ({ door }) => metrics.failed(door),
  }
}

/** Said anew: the request's id, its trace, and how long its caller still waits. */
const OWN = new Set([DEADLINE_HEADER, 'traceparent', 'tracestate', 'x-trace-id', 'x-span-id', 'x-request-id'])
