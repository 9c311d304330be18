import * as z from 'zod'

/** Stands for every service, or every environment: values there hold wherever nothing else is said. */
export const DEFAULT = '_default'

const NAME = /^(?:_default|(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,99})$/
const Name = z.string().regex(NAME, 'letters, digits, ".", "_" and "-", or _default')
/** A key of a configuration. `history` and `rollback` are addresses, and no keys. */
export const Key = z
  .string()
  .regex(
    /^(?!history$|rollback$|__proto__$)[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    'letters, digits, ".", "_" and "-"; not history, rollback',
  )

/** Path of a configuration: `/config/:service/:environment`. */
export const ConfigPath = z.object({ service: Name, environment: Name })
export type ConfigPath = z.output<typeof ConfigPath>
/** Path of one value: `/config/:service/:environment/:key`. */
export const ValuePath = ConfigPath.extend({ key: Key })

/** Answer of GET /config/:service/:environment, and body of PUT: values of any shape by key (seed 9.7.7). */
export const Values = z.record(z.string(), z.unknown())

/**
 * Where a value is given a flag: `{"value": …, "secret": true}`. Any other JSON is the value itself, and a secret when it was one before, when its
 * key says so (`api_token`) or what is in it (a URL with a password); `"secret": false` says that it is none. Secrets are encrypted at rest,
 * and there for the service they are meant for and whoever has `config:secrets`; for a local caller too unless somebody said they are some.
 */
export const FlaggedValue = z.strictObject({ value: z.unknown(), secret: z.boolean().optional() })

/** Answer of GET /config/:service/:environment/:key, and one entry of `?describe=true`. A secret's value is `••••` without the right to see it. */
export const DescribedValue = z.object({
  value: z.unknown(),
  secret: z.boolean(),
  /** The configuration it comes from, such as `user-service/production` or `_default/_default`. */
  from: z.string(),
})
/** Answer of GET /config/:service/:environment?describe=true. `version` is the one of this configuration itself, 0 when it has none. */
export const Description = ConfigPath.extend({ version: z.int(), values: z.record(z.string(), DescribedValue) })

/** Answer of GET /config/:service: what a service takes while it runs. One that declares nothing takes anything. */
export const LiveKeys = z.object({
  service: z.string(),
  takes: z.enum(['these', 'anything']),
  keys: z.array(
    z.object({
      key: z.string(),
      /** In words, such as `a number from 0 to 1000000`. */
      takes: z.string(),
      /** What holds where neither the config server nor the service's configuration says anything. */
      default: z.unknown().optional(),
      help: z.string(),
    }),
  ),
})

/** Answer of every change. */
export const Changed = ConfigPath.extend({ version: z.int() })
/** Answer of GET /config. */
export const ConfigList = z.object({ configs: z.array(Changed.extend({ changed_at: z.string() })) })

/** Answer of GET …/history, newest first. */
export const History = z.object({
  versions: z.array(
    z.object({
      version: z.int(),
      action: z.enum(['put', 'delete', 'rollback']),
      /** Keys that changed with it. */
      keys: z.array(z.string()),
      /** With `?values=true`: the values that these keys got; those that it removed, and those of versions far back, are missing. */
      values: z.record(z.string(), FlaggedValue.required()).optional(),
      changed_at: z.string(),
      changed_by: z.string(),
    }),
  ),
})
/** Body of POST …/rollback: the version whose values are to hold again, as a new version. */
export const Rollback = z.strictObject({ version: z.int().min(1) })

/** Events of GET /config/watch: `snapshot` first, then a `change` each time; without values. */
export const WatchSnapshot = z.object({ configs: z.array(Changed) })
/** A `change` of GET /config/watch: the configuration, its new version, and which keys differ. */
export const WatchChange = Changed.extend({ keys: z.array(z.string()) })
