import type { Migration } from 'kysely/migration'
import type { Bus, BusLimits } from '../drivers/bus/contract.ts'
import type { Cache } from '../drivers/cache/contract.ts'
import type { Clock } from '../drivers/clock.ts'
import type { Store } from '../drivers/store/contract.ts'
import type { Authority } from './auth/authority.ts'
import type { RevocationFiles } from './auth/revocation-files.ts'
import type { ClientSettings } from './client/http-service-client.ts'
import type { ServiceClient } from './client/service-client.ts'
import type { RemoteConfig } from './config/changing-values.ts'
import type { ExportTarget } from './config/export-target.ts'
import type { Directory } from './discovery/directory.ts'
import type { AddCheck } from './health-check.ts'
import type { Waits } from './http/waits.ts'
import type { Messaging } from './messaging/messaging.ts'
import type { Log } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { Tracing } from './telemetry/tracing.ts'

/** All that a role is given; it opens, reads and listens to nothing by itself. */
export interface RoleContext<C> {
  /** CLI word, such as `user`. */
  readonly role: string
  /** Name in the registry, in logs, metrics and traces, such as `user-service`. */
  readonly service: string
  /** This replica's id. */
  readonly instance: string
  readonly version: string
  /** `development`, `production`, … */
  readonly environment: string
  /** Where telemetry is sent on to, besides the log server. */
  readonly exports: readonly ExportTarget[]
  /** The role's own section. */
  readonly config: C
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly tracing: Tracing
  readonly authority: Authority
  readonly directory: Directory
  /** Where the platform's registry is. */
  readonly registryUrl: string
  readonly remoteConfig: RemoteConfig
  /** How calls to other services behave where nothing else is said. */
  readonly clientSettings: ClientSettings
  readonly messaging: Messaging
  /** Fires when stopping begins: end long waits and streams. */
  readonly signal: AbortSignal
  /** For requests that wait or stay open, such as a watch: counts them, and ends them when stopping begins. */
  readonly waits: Waits
  /**
   * This service's own database, opened and migrated; closed and health-checked by the kit. One that is `expendable` is set aside when its file is
   * damaged, and begun anew. Default: it keeps what nobody else does, and the role doesn't start.
   */
  store<DB>(
    migrations: Readonly<Record<string, Migration>>,
    options?: { readonly expendable?: boolean },
  ): Promise<Store<DB>>
  /** The bus driver, with the limits that the role's own section sets; only the broker role takes it. */
  bus(limits?: BusLimits): Promise<Bus>
  /** A cache of this service's own, the same for all its replicas where it is `shared`; closed by the kit, which tells when it is away and back. */
  cache(): Promise<Cache>
  /** A 256-bit key of the platform, made on first use and kept in the data folder (0600). Letters, digits, `-`. */
  secretKey(name: string): Promise<Uint8Array>
  /** A client for a service, by its registered name. Same name, same client. */
  client(service: string): ServiceClient
  /** Opens what is kept in the data folder of the tokens that were revoked, to be read from its beginning. */
  revocationFiles(): RevocationFiles
  /** Adds a check to `/health` and, unless it only degrades, to `/readyz`. Default `unhealthy`. */
  readonly check: AddCheck
  /** Registers what stop runs, in reverse order, also after a start that failed half way. */
  defer(cleanup: () => Promise<void> | void): void
}
