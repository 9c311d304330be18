import type { Authority } from '../auth/authority.ts'
import { type NodeAnswer, type NodeCall, nodeCall } from '../http/node-call.ts'
import { createIdSource } from '../telemetry/ids.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import { parseEndpoints, printEndpoint } from './endpoint.ts'

/** Where the registry is, and who calls it. */
export interface RegistryCallsOptions {
  /** One address, or several separated by commas. */
  readonly registryUrl: string
  /** Who calls: the name in the token. */
  readonly service: string
  /** The replica that calls, as User-Agent: by it the registry tells the replicas of this machine from each other. */
  readonly agent?: string
  readonly authority?: Pick<Authority, 'mode' | 'serviceToken'>
}

/** The name a token for the registry has to name. */
const AUDIENCE = 'registry'
/** Marked as not to be traced: what happens every few seconds would bury what people look for. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['/registry/heartbeat', '/registry/watch'])

/**
 * A way to call the registry, which is found by address and not by discovery. Of several addresses one is used until it fails.
 * @returns `nodeCall` with a path; it rejects as that does
 */
export function registryCalls({ registryUrl, service, agent, authority }: RegistryCallsOptions) {
  const addresses = parseEndpoints(registryUrl).map(printEndpoint)
  const nextId = createIdSource(16)
  let current = 0

  return async function callRegistry(path: string, call: NodeCall): Promise<NodeAnswer> {
    const headers: Record<string, string> = { ...call.headers }
    if (agent !== undefined) headers['user-agent'] = agent
    if (HOUSEKEEPING.has(path)) {
      headers.traceparent = formatTraceparent({ traceId: nextId(), spanId: nextId().slice(16), sampled: false })
    }
    if (authority?.mode === 'token') headers.authorization = `Bearer ${await authority.serviceToken(service, AUDIENCE)}`
    const used = current
    try {
      return await nodeCall(`${addresses[used % addresses.length]}${path}`, { ...call, headers })
    } catch (fault) {
      // a stream that ended later is no reason: only who can't be reached at all is left for the next
      if (current === used) current++
      throw fault
    }
  }
}
