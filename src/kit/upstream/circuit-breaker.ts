import type { Balancer } from '../discovery/balancer.ts'
import type { Log } from '../telemetry/log.ts'
import { createRecoveringBalancer, type RecoveryOptions } from './recovery.ts'

/** When a circuit opens and for how long, and who is told. */
export interface CircuitBreakerOptions extends Omit<RecoveryOptions, 'limits' | 'onChange'> {
  /** Failures in a row that open an instance's circuit. */
  readonly failures: number
  /** Milliseconds it stays open, unless the instance says before that it is ready. */
  readonly holdMs: number
  readonly log: Log
}

/** A recovering balancer that lets all instances of a service be out at once: callers then fail at once instead of after a time-out (seed 9.7.6). */
export function createCircuitBreaker({ failures, holdMs, log, ...rest }: CircuitBreakerOptions): Balancer {
  return createRecoveringBalancer({
    ...rest,
    limits: { failures, holdMs, maxShare: 1 },
    onChange({ service_name, url }, change) {
      const where = { target: service_name, url }
      if (change === 'back') log.info(`Circuit closed: ${service_name} answers again`, where)
      else {
        const told = `Circuit opened: ${service_name} fails, and gets no calls until it says that it is ready`
        log.warning(told, { ...where, open_ms: holdMs })
      }
    },
  })
}
