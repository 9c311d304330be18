import { hostname } from 'node:os'
import { openBus } from '../drivers/bus/open.ts'
import { isEmbedded } from '../drivers/by-scheme.ts'
import { openCache } from '../drivers/cache/open.ts'
import type { StoreOptions } from '../drivers/store/contract.ts'
import { RevocationFiles } from './auth/revocation-files.ts'
import { readSecretKey } from './auth/secret-key.ts'
import type { PlaceKind, Places } from './config/places.ts'
import { ownFields, type Section, type Settings } from './config/schema.ts'
import type { RoleContext } from './context.ts'
import { holdDatabase } from './database-lock.ts'
import { standingPlace } from './discovery/advertised.ts'
import { Outage } from './discovery/outage.ts'
import { messageOf } from './errors.ts'
import { openServiceStore } from './filled-store.ts'
import type { Check, Failing, HealthCheck } from './health-check.ts'
import { Traffic } from './http/door.ts'
import { Waits } from './http/waits.ts'
import { createLifecycle } from './lifecycle.ts'
import { createMessaging } from './messaging/broker-messaging.ts'
import type { AnyRole, Running } from './role.ts'

/** How long a cache may take at the start until it is said that it is away, milliseconds. */
const FIRST_CHECK_MS = 1_000
/** How long what was told to end, such as a stream, may take for it before the stores are closed, milliseconds. */
const LAST_WORDS_MS = 1_000

/** What a role has from its host, however often it is begun anew. */
export interface Premises
  extends Pick<
    RoleContext<unknown>,
    | 'service'
    | 'instance'
    | 'version'
    | 'clock'
    | 'log'
    | 'metrics'
    | 'tracing'
    | 'authority'
    | 'directory'
    | 'registryUrl'
    | 'remoteConfig'
    | 'client'
  > {
  readonly settings: Omit<Settings, PlaceKind>
  readonly section: Section
  /** Holds what it opens in the data folder against other processes. */
  readonly alone: boolean
  /** What `/health` looks at; each run adds its own and takes them away again. */
  readonly checks: Map<string, HealthCheck>
  /** Fires when the host stops. */
  readonly signal: AbortSignal
}

/** A role from its start to its end on one set of places. */
export interface RoleRun {
  readonly running: Running
  /** What it keeps things in. */
  readonly uses: ReadonlySet<PlaceKind>
  /** Its requests under way. */
  readonly traffic: Traffic
  /** Those of them that wait or stay open until they are told that it ends. */
  readonly waits: Waits
  /** Resolves with why it is of no use any more; never while all is well. */
  readonly broken: Promise<Error>
  /**
   * Ends what waits, and once its requests under way are over all else, and closes what it had opened. May be called twice.
   * @param patienceMs how long requests under way are waited for, milliseconds. Default 1 000: long enough for what was told to end.
   */
  stop(patienceMs?: number): Promise<void>
}

/**
 * Starts a role on its stores, bus and cache. A start that fails closes what it had opened.
 * @param places where these lie
 */
export async function beginRun(role: AnyRole, places: Places, premises: Premises): Promise<RoleRun> {
  const { settings, section, service, instance, clock, log, metrics, tracing, client, checks } = premises
  const life = createLifecycle((fault) => log.warning('a part did not stop cleanly', { fault: String(fault) }))
  const signal = AbortSignal.any([life.signal, premises.signal])
  const waits = new Waits(settings.limits, signal)
  const traffic = new Traffic()
  const broken = Promise.withResolvers<Error>()
  const uses = new Set<PlaceKind>()
  const ctx: RoleContext<unknown> = {
    ...premises,
    role: role.name,
    environment: settings.environment,
    exports: settings.telemetry.export,
    config: ownFields(section),
    clientSettings: settings.client,
    messaging: createMessaging({
      client: client('broker'),
      service,
      consumer: section.port === 0 ? instance : `${service}@${standingPlace(section, hostname())}`,
      clock,
      tracing,
      log,
      metrics,
      signal,
      check: addCheck,
      defer: life.defer,
    }),
    signal,
    waits,
    check: addCheck,
    defer: life.defer,
    secretKey: (name) => readSecretKey(keysOf(places), name),
    revocationFiles: () => new RevocationFiles(keysOf(places)),
    store: <DB>(migrations: StoreOptions['migrations'], { expendable = false } = {}) => {
      hold('store', service)
      const place = { url: places.store, name: service, folder: places.data, migrations }
      const opening = openServiceStore<DB>(expendable ? { ...place, onDamaged: (what) => log.error(what) } : place)
      return opened('store', opening, { expendable })
    },
    bus: (limits) => {
      hold('bus', 'bus')
      return opened('bus', openBus({ ...limits, url: places.bus, folder: places.data, clock }))
    },
    cache,
  }
  try {
    const running = await role.start(ctx)
    premises.signal.throwIfAborted()
    let patience = LAST_WORDS_MS
    life.defer(async () => {
      await traffic.quiet(() => 0, patience)
    })
    const stop = (patienceMs = LAST_WORDS_MS) => {
      patience = patienceMs
      return life.stop()
    }
    return { running, uses, traffic, waits, broken: broken.promise, stop }
  } catch (fault) {
    await life.stop()
    throw fault
  }

  function addCheck(name: string, check: Check, failing: Failing = 'unhealthy') {
    const own = { check, failing }
    checks.set(name, own)
    life.defer(() => {
      if (checks.get(name) === own) checks.delete(name)
    })
  }

  /** What lies on a server is anybody's who may log in there. */
  function hold(kind: 'store' | 'bus', database: string) {
    uses.add(kind)
    if (isEmbedded(places[kind])) uses.add('data')
    if (premises.alone && isEmbedded(places[kind])) life.defer(holdDatabase(places.data, database).release)
  }

  /** One that is away is told of, and missed by nobody: what is shared by it has a local stand-in. */
  async function cache() {
    uses.add('cache')
    const outage = new Outage('the cache', log, clock)
    const part = await openCache({
      url: places.cache,
      prefix: `${service}:`,
      clock,
      onAway: (fault) => outage.failed(fault, 'each replica goes by what it knows itself'),
      onBack: () => outage.over(),
    })
    await part.check(AbortSignal.timeout(FIRST_CHECK_MS)).catch((fault: unknown) => log.error(messageOf(fault)))
    return opened('cache', Promise.resolve(part), { failing: 'degraded' })
  }

  async function opened<T extends Part>(name: string, opening: Promise<T>, how: Opened = {}): Promise<T> {
    const part = await opening
    void part.unsound?.then((fault) => {
      log.error(`The ${name} can't go on: ${fault.message}`)
      if (how.expendable) broken.resolve(fault)
    })
    life.defer(() => part.close())
    for (const note of part.notes ?? []) log.info(note)
    addCheck(name, (signal) => part.check(signal), how.failing)
    if (part.checkWrites) addCheck(`${name}_writes`, async () => part.checkWrites?.(), 'degraded')
    return part
  }
}

function keysOf({ data }: Places): string {
  return `${data}/keys`
}

/** How a part is looked after. */
interface Opened {
  /** Begun anew by the next start, so that its damage ends this run. Default false. */
  readonly expendable?: boolean
  /** What it says of the role when the part does not answer. Default `unhealthy`. */
  readonly failing?: Failing
}

/** What a role opens and the kit looks after. */
interface Part {
  readonly unsound?: Promise<Error>
  readonly notes?: readonly string[]
  readonly check: Check
  checkWrites?(): Promise<void>
  close(): Promise<void>
}
