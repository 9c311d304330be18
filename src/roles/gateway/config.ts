import * as z from 'zod'
import { Origin } from '../../kit/config/schema.ts'
import { HTTP_METHODS } from '../../kit/http/methods.ts'
import { isProbe } from '../../kit/http/probes.ts'
import { didYouMean } from '../../kit/nearest.ts'
import { isRecord } from '../../kit/record.ts'
import type { UpstreamsOptions } from '../../kit/upstream/upstreams.ts'
import { ORDER_SERVICE } from '../order/contract.ts'
import { USER_SERVICE } from '../user/contract.ts'
import { ownMethods } from './own-paths.ts'
import { proxyFault } from './request-origin.ts'
import { parseRequestTarget } from './request-path.ts'
import type { Route } from './route-table.ts'

/** Limits of security.md's table. */
const DEADLINE_MS = 15_000
/** The seed's (9.7.3). */
const UPSTREAM_TIMEOUT_MS = 5_000
const BODY_LIMIT = 1_048_576

/** Whole segments from the root, such as `/gateway/api/users`: what the path check lets through, without a query or a slash at the end. */
const Prefix = z.string().refine((text) => {
  const target = parseRequestTarget(text)
  return !('refused' in target) && target.query === '' && !text.endsWith('/')
}, 'expected whole path segments such as /gateway/api/users')

const Access = z.union([z.literal('public'), z.literal('token'), z.array(z.string().min(1)).min(1)]).meta({
  expected: 'public, token, or a list of scopes',
})

/** A token bucket: how many requests at once, and how many a second in the long run. */
const Limit = z.strictObject({
  per_second: z.number().min(0.001).max(1_000_000),
  burst: z.int().min(1).max(1_000_000),
})

/** A service's registered name. */
const Upstream = z
  .string()
  .regex(/^[\w.-]+$/)
  .meta({ expected: 'the name of a service, whose address, where it has a fixed one, stands in services' })

const Milliseconds = z.int().min(1).max(3_600_000)
/** Null: none. */
const StreamIdle = z.int().min(1).max(86_400_000).nullable()
const BodyLimit = z.int().min(0).max(1_099_511_627_776)

const RouteConfig = z
  .strictObject({
    prefix: Prefix,
    upstream: Upstream,
    strip_prefix: z.union([z.literal(''), Prefix]).default(''),
    methods: z.partialRecord(z.enum(HTTP_METHODS), Access),
    deadline_ms: Milliseconds.optional(),
    upstream_timeout_ms: Milliseconds.optional(),
    stream_idle_ms: StreamIdle.optional(),
    body_limit: BodyLimit.optional(),
    write_limit: Limit.nullable().optional(),
    read_limit: Limit.nullable().optional(),
  })
  .refine(isStrippable, {
    path: ['strip_prefix'],
    error: 'expected the leading segments of prefix that the service does not see, or "" for none',
  })
type RouteConfig = z.output<typeof RouteConfig>

const Cors = z.strictObject({
  origins: z.array(Origin).default([]),
  credentials: z.boolean().default(false),
  request_headers: z
    .array(z.string().regex(/^[\w-]+$/))
    .default(['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'traceparent']),
  exposed_headers: z
    .array(z.string().regex(/^[\w-]+$/))
    .default(['etag', 'link', 'location', 'retry-after', 'x-request-id', 'x-trace-id']),
  max_age_seconds: z.int().min(0).max(86_400).default(600),
})
/** Which pages of other origins may call, and what of the answers they may read (Fetch standard §3.2). */
export type CorsConfig = z.infer<typeof Cors>

/** The connections to each instance of a service, and how they are shared out. */
const Pool = z.strictObject({
  max_connections: z.int().min(1).max(16_384).default(1_024),
  upload_share: z.number().min(0.01).max(1).default(0.5),
  caller_share: z.number().min(0.01).max(1).default(0.25),
})

/** A field name (RFC 9110 §5.6.2), or the beginning of one with `*` behind. */
const StrippedHeader = z
  .string()
  .regex(/^[\w!#$%&'+.^`|~-]{1,64}\*?$/)
  .meta({ expected: "a header's name such as X-Shop, or its beginning such as X-Shop-*" })

const TrustedProxy = z.string().superRefine((network, context) => {
  const message = proxyFault(network)
  if (message !== undefined) context.addIssue({ code: 'custom', message: `${message}, got ${JSON.stringify(network)}` })
})

const WRITES = ['POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Access to a service: reading by `read`, everything that changes something by a token with the scope `write`. */
function methods(read: z.input<typeof Access>, write: string): z.input<typeof RouteConfig>['methods'] {
  return { GET: read, HEAD: read, ...Object.fromEntries(WRITES.map((method) => [method, [write]])) }
}

/** The two services of the seed's gateway (9.7.4): users may be read by anybody, everything else wants a token. */
const SEED_ROUTES: Readonly<Record<string, z.input<typeof RouteConfig>>> = {
  users: {
    prefix: '/gateway/api/users',
    upstream: USER_SERVICE,
    strip_prefix: '/gateway',
    methods: methods('public', 'users:write'),
  },
  orders: {
    prefix: '/gateway/api/orders',
    upstream: ORDER_SERVICE,
    strip_prefix: '/gateway',
    methods: methods('token', 'orders:write'),
  },
}

const AS_MAP = 'shop: { prefix: /shop, upstream: shop-service, methods: { GET: public } }'

/** Routes as a file gives them: what one of a built-in name doesn't say stays as it is built in. */
type GivenRoutes = Readonly<Record<string, Partial<z.input<typeof RouteConfig>> | null>>

/** The routes by name, the built-in ones among them; null takes one out, and stays so that the section means the same when it is read again. */
const Routes = z
  .preprocess(
    withSeedRoutes,
    z
      .record(z.string(), RouteConfig.nullable())
      .meta({ expected: `routes by name, such as "${AS_MAP}"` })
      .superRefine((routes, context) => {
        for (const { path, message } of clashesOf(routes)) context.addIssue({ code: 'custom', path, message })
      }),
  )
  .prefault({})

function withSeedRoutes(given: GivenRoutes, context: z.RefinementCtx): unknown {
  if (Array.isArray(given)) {
    const message = `routes have names now, and stand beside the built-in ${Object.keys(SEED_ROUTES).join(' and ')} (null takes one of these out): instead of a list write "routes: { ${AS_MAP} }"`
    context.addIssue({ code: 'custom', message })
  }
  // a file may hold anything: the schema says so
  if (!isRecord(given)) return given
  const merged = Object.entries({ ...SEED_ROUTES, ...given }).map(([name, route]) => {
    const seed = Object.hasOwn(SEED_ROUTES, name) ? SEED_ROUTES[name] : {}
    return [name, isRecord(route) ? { ...seed, ...route } : route]
  })
  return Object.fromEntries(merged)
}

/** A prefix has one route for each method: the second one that takes it, by its name, with the name of the first. */
function clashesOf(routes: Readonly<Record<string, RouteConfig | null>>) {
  const takenBy = new Map<string, string>()
  return Object.entries(routes).flatMap(([name, route]) => {
    const prefix = decodeURIComponent(route?.prefix ?? '')
    if (isProbe(prefix) || ownMethods(prefix) !== undefined) {
      const message = `${route?.prefix} is the gateway's own, and reaches no service; give ${name} another prefix`
      return [{ path: [name, 'prefix'], message }]
    }
    if (route === null && !Object.hasOwn(SEED_ROUTES, name)) {
      const message = `null takes a built-in route out, and none is called that${didYouMean(name, Object.keys(SEED_ROUTES))}`
      return [{ path: [name], message }]
    }
    const requests = Object.keys(route?.methods ?? {}).map((method) => `${method} ${prefix}`)
    const taken = requests.find((request) => takenBy.has(request))
    for (const request of requests) if (!takenBy.has(request)) takenBy.set(request, name)
    if (taken === undefined) return []
    const message = `${name} and ${takenBy.get(taken)} both take ${taken}; give one of them another prefix or other methods, or make one null`
    return [{ path: [name], message }]
  })
}

/** The gateway's section. What a route doesn't say itself, it takes from the values beside `routes`. */
export const GatewayConfig = z.strictObject({
  routes: Routes,
  deadline_ms: Milliseconds.default(DEADLINE_MS),
  upstream_timeout_ms: Milliseconds.default(UPSTREAM_TIMEOUT_MS),
  stream_idle_ms: StreamIdle.default(null),
  body_limit: BodyLimit.default(BODY_LIMIT),
  write_limit: Limit.nullable().default({ per_second: 5_000, burst: 10_000 }),
  read_limit: Limit.nullable().default(null),
  pool: Pool.prefault({}),
  strip_headers: z.array(StrippedHeader).default([]),
  trusted_proxies: z.array(TrustedProxy).default([]),
  cors: Cors.prefault({}),
})
export type GatewayConfig = z.infer<typeof GatewayConfig>

/** Keys of the part of the section that requests are let in by (policy.ts): what a running gateway takes anew. */
export const POLICY_KEYS = [
  'routes',
  'deadline_ms',
  'upstream_timeout_ms',
  'stream_idle_ms',
  'body_limit',
  'write_limit',
  'read_limit',
] as const satisfies readonly (keyof GatewayConfig)[]

/** The configured bounds of each pool. */
export function poolLimitsOf({ pool }: GatewayConfig): UpstreamsOptions['limits'] {
  return { maxConnections: pool.max_connections, uploadShare: pool.upload_share, callerShare: pool.caller_share }
}

function isStrippable({ prefix, strip_prefix }: { prefix: string; strip_prefix: string }): boolean {
  return strip_prefix === '' || prefix === strip_prefix || prefix.startsWith(`${strip_prefix}/`)
}

/** The configured routes, each with all of its values. */
export function routesOf(config: GatewayConfig): readonly Route[] {
  const { routes, deadline_ms, upstream_timeout_ms, stream_idle_ms, body_limit, write_limit, read_limit } = config
  const given = Object.entries(routes).flatMap(([name, route]) => (route === null ? [] : [{ name, ...route }]))
  return given.map((route) => ({
    name: route.name,
    prefix: route.prefix,
    upstream: route.upstream,
    strip_prefix: route.strip_prefix,
    methods: route.methods,
    deadline_ms: route.deadline_ms ?? deadline_ms,
    upstream_timeout_ms: route.upstream_timeout_ms ?? upstream_timeout_ms,
    stream_idle_ms: (route.stream_idle_ms === undefined ? stream_idle_ms : route.stream_idle_ms) ?? undefined,
    body_limit: route.body_limit ?? body_limit,
    write_limit: (route.write_limit === undefined ? write_limit : route.write_limit) ?? undefined,
    read_limit: (route.read_limit === undefined ? read_limit : route.read_limit) ?? undefined,
  }))
}
