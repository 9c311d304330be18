import type { Clock } from '../../drivers/clock.ts'
import type { Exchange, Layer } from '../http/exchange.ts'
import { isProbe } from '../http/probes.ts'
import { statusOf } from '../http/status-of.ts'
import type { Log } from '../telemetry/log.ts'
import { runInScope } from '../telemetry/scope.ts'

/** What the access log writes to and times with. */
export interface AccessLogOptions {
  readonly log: Log
  readonly clock: Pick<Clock, 'monotonic'>
}

/**
 * Writes one entry a request: INFO for those whose trace is kept, WARNING for a cut answer and what is refused for being too much, ERROR for every
 * other 5xx; DEBUG for the platform's housekeeping that goes well.
 * Probes of health and metrics are not written.
 */
export function accessLog({ log, clock }: AccessLogOptions): Layer {
  function write(exchange: Exchange) {
    const { method, path, outgoing, route, startedAt, scope } = exchange
    const status = statusOf(outgoing)
    const cut = !outgoing.writableFinished && !exchange.openEnded
    if (!scope.span.sampled && status < 500) return
    const message = `${method} ${path.slice(0, MAX_PATH)} ${status}${cut ? ' (cut off)' : ''}`
    const metadata = {
      method,
      route,
      status,
      duration_ms: Math.round((clock.monotonic() - startedAt) * 1000) / 1000,
      request_id: exchange.requestId,
      ...(exchange.client !== undefined && { client: exchange.client }),
    }
    runInScope(scope, () => log[levelOf(exchange, status, cut)](message, metadata))
  }

  return function accessLog(exchange) {
    return isProbe(exchange.path) ? undefined : write
  }
}

const MAX_PATH = 512

function levelOf({ refused, housekeeping }: Exchange, status: number, cut: boolean): keyof Log {
  if (status >= 500 && !refused) return 'error'
  if (cut || refused) return 'warning'
  return housekeeping && status < 400 ? 'debug' : 'info'
}
