import type { AnyRole } from '../kit/role.ts'

/** Every role of the platform, loaded on first use: one line a role, under its CLI word. Roles start, and are listed, in this order. */
const CATALOG: Readonly<Record<string, () => Promise<AnyRole>>> = {
  registry: async () => (await import('./registry/role.ts')).registry,
  'config-server': async () => (await import('./config-server/role.ts')).configServer,
  'log-server': async () => (await import('./log-server/role.ts')).logServer,
  broker: async () => (await import('./broker/role.ts')).broker,
  'broker-demo': async () => (await import('./broker/demo.ts')).brokerDemo,
  user: async () => (await import('./user/role.ts')).user,
  order: async () => (await import('./order/role.ts')).order,
  payment: async () => (await import('./payment/role.ts')).payment,
  gateway: async () => (await import('./gateway/role.ts')).gateway,
  outbound: async () => (await import('./outbound/role.ts')).outbound,
}

/** The CLI words of all roles. */
export const ROLE_NAMES: readonly string[] = Object.keys(CATALOG)

/**
 * The CLI words of the roles that `msvc up` runs: all but those whose `inUp` is false. Said here too, so that their processes can be
 * launched before any role is loaded; a test holds the two together.
 */
export const UP_ROLE_NAMES: readonly string[] = ROLE_NAMES.filter((name) => !['broker-demo', 'outbound'].includes(name))

/** Loads one role; undefined when there is none of that name. */
export async function loadRole(name: string): Promise<AnyRole | undefined> {
  return Object.hasOwn(CATALOG, name) ? CATALOG[name]?.() : undefined
}

/** Loads every role, in the catalog's order. */
export async function loadRoles(): Promise<readonly AnyRole[]> {
  return Promise.all(Object.values(CATALOG).map((load) => load()))
}
