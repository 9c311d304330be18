import { createCircuitBreaker } from '../upstream/circuit-breaker.ts'
import { createInstanceFetch } from '../upstream/instance-fetch.ts'
import { createUpstreams } from '../upstream/upstreams.ts'
import { createServiceClient, type ServiceClientOptions } from './http-service-client.ts'
import type { ServiceClient } from './service-client.ts'
import { createTransport } from './transport.ts'

/** A role's clients. */
export interface Clients {
  /** The client for a service, by its registered name. Same name, same client. */
  readonly client: (service: string) => ServiceClient
  /** Ends what the clients hold open, such as streams. */
  close(): Promise<void>
}

/**
 * Makes a role's clients: one for each service it calls, made when first asked for, all sharing one balancer and one
 * transport, so that what one call learned of an instance serves the next.
 */
export function createClients(
  options: Omit<ServiceClientOptions, 'service' | 'balancer' | 'transport' | 'fetchOf' | 'closing'>,
): Clients {
  const closing = new AbortController()
  const calls = createUpstreams({ ...options, limits: LIMITS })
  // probes have connections of their own: a call's may be dead, and its end only wait to be noticed
  const probes = createUpstreams({ ...options, limits: LIMITS })
  const fetchOf = createInstanceFetch(calls)
  const transport = createTransport(fetchOf)
  const { breaker_failures: failures, breaker_open_ms: holdMs } = options.settings
  const balancer = createCircuitBreaker({
    ...options,
    fetchOf: createInstanceFetch(probes),
    signal: closing.signal,
    failures,
    holdMs,
  })
  const common = { ...options, balancer, transport, fetchOf, closing: closing.signal }
  const clients = new Map<string, ServiceClient>()
  return {
    client(service) {
      const known = clients.get(service)
      if (known) return known
      const made = createServiceClient({ ...common, service })
      clients.set(service, made)
      return made
    },
    async close() {
      closing.abort()
      transport.close()
      calls.close()
      probes.close()
    },
  }
}

/** A role's own requests are bounded by what it has under way; nobody here is to be kept from taking them all. */
const LIMITS = { maxConnections: 1_024, uploadShare: 1, callerShare: 1 }
