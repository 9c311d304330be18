import { addressOf, ownFields, type Section } from '../../kit/config/schema.ts'
import type { UnitReport } from '../../kit/supervisor/unit-state.ts'
import { GatewayConfig, routesOf } from '../../roles/gateway/config.ts'
import type { Route } from '../../roles/gateway/route-table.ts'

/** The routes of a gateway with this section. */
export function routesIn(section: Section): readonly Route[] {
  return routesOf(GatewayConfig.parse(ownFields(section)))
}

/** Where the services are reached through the gateway: URLs by registered name. */
export type RoutedServices = ReadonlyMap<string, readonly string[]>

/**
 * By the gateway's section, and where it listens now; empty while it never was ready.
 * @param section absent: there is no gateway
 */
export function routedServices(section: Section | undefined, reports: readonly UnitReport[]): RoutedServices {
  const state = reports.find(({ unit, state }) => unit.replicaOf === 'gateway' && urlOf(state))?.state
  const listens = state && urlOf(state)
  if (!section || listens === undefined) return new Map()
  const gateway = addressOf({ host: section.host, port: Number(new URL(listens).port) })
  const byService = Map.groupBy(routesIn(section), ({ upstream }) => upstream)
  return new Map([...byService].map(([name, routes]) => [name, routes.map(({ prefix }) => `${gateway}${prefix}`)]))
}

function urlOf(state: UnitReport['state']): string | undefined {
  if (state.at === 'ready' || state.at === 'silent') return state.url
  return 'last' in state ? state.last?.url : undefined
}
