import type { Context, Hono } from 'hono'
import type * as z from 'zod'
import type { RoleContext } from './context.ts'
import type { AppError } from './errors.ts'
import type { AppEnv } from './http/app-env.ts'
import type { Exchange } from './http/exchange.ts'
import type { LoopbackPort } from './http/loopback-ports.ts'
import type { KeptData } from './kept-data.ts'

/** A started role. @typeParam C its own section of the config */
export interface Running<C = unknown> {
  /** The role's routes; the kit puts the chain around them. */
  readonly app: Hono<AppEnv>
  /** Sees each request on node:http level before Hono; true when it took it. Only the gateway needs this. */
  readonly handle?: (exchange: Exchange) => boolean
  /**
   * Ports of its own besides the usual one, open before it is ready. They stay those of its first run, but for what `reload` says, so it keeps nothing that
   * moves. Default none.
   */
  readonly loopback?: readonly LoopbackPort[]
  /**
   * Takes its section anew, of which nothing else has changed than it `reloads`: from the next request on, and in one step. Where it throws, all is as it was.
   * Gives the loopback ports that it has from now on, if it has any.
   */
  reload?(config: C): Pick<Running, 'loopback'>
  /** Resolves once the role can do its work; the role counts as ready from then on. Default: at once. */
  readonly ready?: (signal: AbortSignal) => Promise<void>
  /** Foreign origins that may call it, besides the platform's `auth.origins`. Default none. */
  readonly origins?: readonly string[]
  /** Whether pages elsewhere may link to it; else what a browser says comes from elsewhere is refused. Default false. */
  readonly linkable?: boolean
  /** Answers a request that failed where its protocol wants another form than problem+json; undefined for all others. */
  readonly refusal?: Refusal
}

/** Puts an error into the form that a route's protocol has for it; undefined for any other route. */
export type Refusal = (c: Context<AppEnv>, error: AppError) => Response | undefined

/** A role of the platform. Declaring one does nothing; `start` does. */
export interface Role<S extends z.ZodType = z.ZodType> {
  /** CLI word and config section. */
  readonly name: string
  /** Name in the registry, in logs, metrics and traces. */
  readonly service: string
  /** Its line in `--help`. */
  readonly summary: string
  /** Default port; 0 takes a free one. */
  readonly port: number
  /** Its own section of the config, without `port` and `host`, which every role has. All fields have defaults. */
  readonly config: S
  /** What it takes from the config server while it runs, by key. Default nothing. */
  readonly live?: z.ZodObject
  /** Keys of its own section that it takes anew while it runs (`Running.reload`). A change of any other starts it anew. Default none. */
  readonly reloads?: readonly (keyof z.infer<S> & string)[]
  /** CLI words of the roles started before it and stopped after it. */
  readonly needs: readonly string[]
  /** What it may do at other roles in token mode, besides what every service may (SERVICE_SCOPES). Default nothing. */
  readonly calls?: (config: z.infer<S>) => readonly string[]
  /** Passes on what others ask, and says for whom: the roles believe that of it. Default false. */
  readonly passesOn?: boolean
  /** Makes and renews tokens for others, so that it can't do with a key set alone (`auth.jwks`). Default false. */
  readonly signs?: boolean
  /**
   * Where its replicas find what the others were told. While that is in one process or on one machine alone (`sqlite:`, `embedded:`, `memory:`), the role
   * runs alone. Default: its replicas need no such place.
   */
  readonly agreesIn?: 'store' | 'bus' | 'cache'
  /** What it keeps in a store of its service's name, so that it can be moved to another. Default nothing. */
  readonly keeps?: KeptData
  /** Part of `msvc up` unless false. Default true. */
  readonly inUp?: boolean
  /** Gets everything through `ctx`; what it opens itself it gives to `ctx.defer`. */
  start(ctx: RoleContext<z.infer<S>>): Promise<Running<z.infer<S>>>
}

/** Any role, its config's type forgotten: what the catalog, the supervisor and the CLI handle. */
export interface AnyRole extends Omit<Role, 'start' | 'calls' | 'reloads'> {
  readonly reloads: readonly string[]
  /** Its scopes at other roles, by its own section of the config. */
  readonly calls: (config: unknown) => readonly string[]
  /** Checks `ctx.config` against the role's own schema, then starts it; what it reloads is checked alike. */
  start(ctx: RoleContext<unknown>): Promise<Running>
}

/**
 * Declares a role, checking its config's type against what `start` takes.
 * @example export const user = defineRole({ name: 'user', service: 'user-service', port: 8001, config: z.strictObject({}), needs: ['registry'], … })
 */
export function defineRole<S extends z.ZodType>(role: Role<S>): AnyRole {
  return {
    ...role,
    reloads: role.reloads ?? [],
    calls: (config) => role.calls?.(role.config.parse(config)) ?? [],
    async start(ctx) {
      const { reload, ...running } = await role.start({ ...ctx, config: role.config.parse(ctx.config) })
      return { ...running, ...(reload && { reload: (config) => reload(role.config.parse(config)) }) }
    },
  }
}
