import { systemClock } from '../../../drivers/clock.ts'
import type { Authority } from '../../auth/authority.ts'
import { AppError } from '../../errors.ts'
import { type Listener, listen } from '../../http/listener.ts'
import { DEFAULT_LIMITS } from '../../http/testing/listener-limits.ts'
import type { Running } from '../../role.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import { silentLog } from '../../telemetry/testing/recorded-log.ts'
import { createTracing } from '../../telemetry/tracer.ts'
import { type ChainOptions, innerChain, outerChain } from '../chain.ts'

/** Lets local callers in, and no token. */
export const LOCAL_AUTHORITY: Authority = {
  mode: 'local',
  issuer: 'msvc',
  mint: async () => 'token',
  recall: () => undefined,
  referenceOf: async () => undefined,
  publicKeys: async () => [],
  heed: () => {},
  renew: async () => ({ token: 'token', scopes: [], expiresIn: 1 }),
  serviceToken: async () => 'token',
  verify: async () => {
    throw new AppError('UNAUTHENTICATED', 'Unauthorized')
  },
}

/**
 * For tests: a role's routes behind the whole chain, on a free port of 127.0.0.1.
 * @param parts what the test looks into, or needs to be real; the rest is silent
 */
export async function listenBehindChain(running: Running, parts: Partial<ChainOptions> = {}): Promise<Listener> {
  const { service = 'test-service', clock = systemClock } = parts
  const options: ChainOptions = {
    service,
    summary: '',
    version: '0.0.0',
    clock,
    log: silentLog,
    metrics: createMetrics(service),
    tracing: createTracing({ service, clock, ship: () => {} }),
    authority: LOCAL_AUTHORITY,
    hosts: [],
    origins: running.origins ?? [],
    linkable: running.linkable ?? false,
    checks: new Map(),
    isReady: () => true,
    ...parts,
  }
  return listen({
    host: '127.0.0.1',
    port: 0,
    limits: DEFAULT_LIMITS,
    layers: outerChain(options).own,
    app: innerChain(running, options),
    clock,
    ...(running.handle && { handle: running.handle }),
  })
}
