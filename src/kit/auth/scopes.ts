/** What a token can allow at the roles of the platform (RFC 6749 §3.3). A route names the one it wants; none implies another. */
export const SCOPES = [
  /** Seeing and changing what has owners, whosever it is. */
  'admin',
  'users:read',
  'users:write',
  'orders:read',
  'orders:write',
  'payments:read',
  /** Looking at topics, messages, subscriptions and dead letters. */
  'messages:read',
  'messages:publish',
  /** Subscribing, taking messages and settling them. */
  'messages:consume',
  /** What is nobody's own: dead letters given another chance, other services' groups and topics. */
  'messages:admin',
  /** Entries and spans. */
  'logs:read',
  'logs:write',
  'config:read',
  'config:write',
  /** Secret values in clear, besides `config:read`. */
  'config:secrets',
  'registry:read',
  'registry:write',
  /** Speaking for instances of every service, besides `registry:write`. */
  'registry:admin',
  'metrics:read',
  /** `/openapi.json`. */
  'docs:read',
] as const
/** One of them. */
export type Scope = (typeof SCOPES)[number]

/**
 * What a route wants of its caller in token mode: a scope; any valid token (`token`), which is for the gateway's own answers alone; or
 * nothing (`public`), which is for the health paths, and for what the gateway tells everybody.
 */
export type RouteScope = Scope | 'token' | 'public'

/**
 * What every service may do, whether it is the platform's or somebody's own: be in the registry, read its values, publish and consume, and
 * write its logs and spans. What else a role calls, it declares (`Role.calls`).
 */
export const SERVICE_SCOPES: readonly Scope[] = [
  'registry:read',
  'registry:write',
  'config:read',
  'logs:write',
  'messages:publish',
  'messages:consume',
  'messages:read',
  'docs:read',
]
