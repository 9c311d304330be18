import { ofetch } from 'ofetch'
import type { Authority } from '../kit/auth/authority.ts'
import type { Started } from '../kit/supervisor/member.ts'

const TIMEOUT_MS = 400

/**
 * Tells the registry of a copy that ended without saying goodbye, so that nobody is sent to it until its lease runs out. Rejects when the
 * registry can't be told; then the lease does it.
 */
export async function forgetInstance(lost: Started, registryUrl: string, authority: Authority): Promise<void> {
  const { hostname, port } = new URL(lost.url)
  const headers: Record<string, string> = {}
  if (authority.mode === 'token')
    headers.authorization = `Bearer ${await authority.serviceToken(lost.service, 'registry')}`
  await ofetch(`${registryUrl}/registry/deregister`, {
    method: 'POST',
    headers,
    body: { service_name: lost.service, host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port) },
    retry: 0,
    timeout: TIMEOUT_MS,
  })
}
