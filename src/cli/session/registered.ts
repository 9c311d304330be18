import { ServiceStatus } from '../../roles/registry/contract.ts'
import type { Api } from './api.ts'

/**
 * Where a registry has the instances of a service, those that are well first; nothing where it has none, or can't be asked: then a command says what it does without
 * one.
 */
export async function registeredAt(registry: Api, service: string): Promise<readonly string[]> {
  try {
    const { instances } = await registry.ask(ServiceStatus, `/registry/services/${encodeURIComponent(service)}`)
    const isWell = ({ health }: (typeof instances)[number]) => health === 'healthy'
    return [...instances.filter(isWell), ...instances.filter((instance) => !isWell(instance))].map(({ url }) => url)
  } catch {
    return []
  }
}
