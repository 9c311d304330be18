import * as z from 'zod'

/** A service's name in the registry: letters, digits, `.`, `_`, `-`. */
export const ServiceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'letters, digits, ".", "_" and "-", at most 100')

/** An instance's id: what it calls itself, or what the registry made for it. */
const InstanceId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/, 'letters, digits, ".", "_", ":" and "-", at most 64')

const Port = z.int().min(1).max(65_535)
const Host = z.string().min(1).max(255)

/** Where an instance's paths begin: whole segments that every program reads the same, so none with dots alone or percent-encoding. */
const BasePath = z
  .string()
  .max(255)
  .regex(/^(?:\/(?!\.{1,2}(?:\/|$))[\w.~!$&'()*+,=:@-]+)*\/?$/, 'a path such as /shop')
  .transform((path) => path.replace(/\/$/, ''))

/** Characters that an instance's tags and metadata may have together: every watcher is told those of all instances at once. */
const MAX_DESCRIPTION = 4_096

/** Body of POST /registry/register (seed 9.7.5). Which hosts are refused is kit/discovery/address-rule.ts's business. */
export const Registration = z
  .strictObject({
    /** The instance's own name for itself. Registering again with it replaces what was registered under it. Default: one is made. */
    id: InstanceId.optional(),
    service_name: ServiceName,
    host: Host,
    port: Port,
    scheme: z.enum(['http', 'https']).default('http'),
    base_path: BasePath.default(''),
    tags: z.array(z.string().max(128)).max(32).default([]),
    // a number that is kept to the letter is an object too
    metadata: z
      .custom<object>((value) => !JSON.isRawJSON(value), { error: 'an object is wanted', abort: true })
      .meta({ type: 'object' })
      .pipe(z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/), z.string().max(1_024)))
      .refine((held) => Object.keys(held).length <= 64, 'at most 64 entries')
      .default({}),
    health_check_url: z.string().max(2_048).optional(),
  })
  .refine(
    ({ tags, metadata }) => JSON.stringify([tags, metadata]).length <= MAX_DESCRIPTION,
    `tags and metadata have at most ${MAX_DESCRIPTION} characters together, as JSON`,
  )
export type Registration = z.output<typeof Registration>

/** Names one instance, by its id or as the seed does. Body of heartbeat, unhealthy, drain and deregister. */
export const InstanceRef = z
  .object({
    id: z.string().max(64).optional(),
    service_name: ServiceName.optional(),
    host: Host.optional(),
    port: Port.optional(),
    /** What its registration was answered with: it speaks for that one alone, and is refused (409) once a newer one has the id. */
    fence: z.int().min(0).optional(),
  })
  .refine(
    ({ id, service_name, host, port }) =>
      id !== undefined || (service_name !== undefined && host !== undefined && port !== undefined),
    'give id, or service_name, host and port',
  )
export type InstanceRef = z.output<typeof InstanceRef>

/** Answer of POST /registry/register. */
export const Registered = z.object({ status: z.literal('registered'), id: z.string(), fence: z.int() })
/** Answer of the other POSTs. */
export const Done = z.object({ status: z.enum(['ok', 'unhealthy', 'draining', 'deregistered']) })
/** Answer of GET /registry/discover/:name. */
export const Discovered = z.object({ service_name: z.string(), host: z.string(), port: z.int(), url: z.string() })

/** One instance as GET /registry/services shows it. */
export const InstanceStatus = z.object({
  id: z.string(),
  service_name: z.string(),
  host: z.string(),
  port: z.int(),
  url: z.string(),
  tags: z.array(z.string()),
  metadata: z.record(z.string(), z.string()),
  health_check_url: z.string().optional(),
  health: z.enum(['healthy', 'unhealthy']),
  /** Why it is unhealthy, or that it is kept by self-preservation. */
  reason: z.string().optional(),
  registered_at: z.string(),
  /** Age of the last heartbeat; absent when there was none since the registry started. */
  heartbeat_seconds: z.number().optional(),
})
export type InstanceStatus = z.output<typeof InstanceStatus>

/** Answer of GET /registry/services/:name. */
export const ServiceStatus = z.object({
  service_name: z.string(),
  healthy: z.int(),
  total: z.int(),
  instances: z.array(InstanceStatus),
})
export type ServiceStatus = z.output<typeof ServiceStatus>
/** Answer of GET /registry/services. */
export const ServiceList = z.object({ services: z.array(ServiceStatus) })
