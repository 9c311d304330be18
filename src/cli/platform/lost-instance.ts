import type { Authority } from '../../kit/auth/authority.ts'
import { parseEndpoint } from '../../kit/discovery/endpoint.ts'
import { registryCalls } from '../../kit/discovery/registry-calls.ts'
import type { Started } from '../../kit/supervisor/unit.ts'

const TIMEOUT_MS = 400

/**
 * Tells the registry of a replica that ended without saying goodbye, so that nobody is sent to it until its lease runs out. Rejects when the
 * registry can't be reached; then the lease does it.
 */
export async function forgetInstance(
  { service, advertised }: Started,
  registryUrl: string,
  authority: Authority,
): Promise<void> {
  if (advertised === undefined) return
  const { host, port } = parseEndpoint(advertised)
  const call = registryCalls({ registryUrl, service, authority })
  const answer = await call('/registry/deregister', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ service_name: service, host, port }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  answer.cancel()
}
