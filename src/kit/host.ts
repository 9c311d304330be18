import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { openBus } from '../drivers/bus/open.ts'
import { isEmbedded } from '../drivers/by-scheme.ts'
import { openCache } from '../drivers/cache/open.ts'
import type { Clock } from '../drivers/clock.ts'
import type { StoreOptions } from '../drivers/store/contract.ts'
import { openStore } from '../drivers/store/open.ts'
import { createAuthority } from './auth/local-authority.ts'
import { readSecretKey } from './auth/secret-key.ts'
import { createClients } from './client/clients.ts'
import { createRemoteConfig } from './config/remote-config.ts'
import type { Section, Settings } from './config/schema.ts'
import type { RoleContext } from './context.ts'
import { openDataFolder } from './data-folder.ts'
import { holdDatabase } from './database-lock.ts'
import { advertisedPlace, type Place } from './discovery/advertised.ts'
import { printEndpoint } from './discovery/endpoint.ts'
import { Outage } from './discovery/outage.ts'
import { register } from './discovery/registration.ts'
import { createDirectory } from './discovery/registry-directory.ts'
import { AppError, messageOf } from './errors.ts'
import type { Check, Failing, HealthCheck } from './health-check.ts'
import { listen } from './http/listener.ts'
import { Waits } from './http/waits.ts'
import { createLifecycle } from './lifecycle.ts'
import { createMessaging } from './messaging/broker-messaging.ts'
import { innerChain, outerChain } from './middleware/chain.ts'
import type { AnyRole } from './role.ts'
import { createIdSource } from './telemetry/ids.ts'
import type { LogSink } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createPipeline } from './telemetry/pipeline.ts'

/** How long requests sent just before a stop may still arrive after the registry was told, milliseconds. */
const LAST_CALLS_MS = 100

/** How long a cache may take at the start until it is said that it is away, milliseconds. */
const FIRST_CHECK_MS = 1_000

/** What a role is run with. */
export interface HostOptions {
  readonly settings: Settings
  /** The role's section: where it listens, and its own fields. */
  readonly section: Section
  /** Its name in the registry instead of the role's own (SERVICE_NAME). */
  readonly service?: string
  /** Holds what it opens in the data folder against other processes. Default false: whoever starts it does, and its copies share. */
  readonly alone?: boolean
  /** Why the copy before it ended. */
  readonly after?: string
  /** Where the registry is. */
  readonly registryUrl: string
  readonly version: string
  readonly clock: Clock
  /** Where log entries go besides the log server. */
  readonly sinks: readonly LogSink[]
}

/** A role that takes requests. */
export interface RunningHost {
  readonly role: string
  readonly service: string
  readonly instance: string
  /** Where it listens. */
  readonly url: string
  /** Where others reach it. */
  readonly advertised: string
  readonly port: number
  /** Resolves with why it is of no use any more, so that it must be stopped and started anew; never while all is well. */
  readonly broken: Promise<Error>
  /** Leaves the registry, drains, closes everything in reverse order. May be called twice. */
  stop(): Promise<void>
}

/**
 * Runs one role: opens what it asks for, puts the chain around its routes, listens, registers. Resolves when it is ready.
 * A start that fails closes what it had opened; throws AppError, such as `START_FAILED` for a taken port.
 */
export async function runRole(role: AnyRole, options: HostOptions): Promise<RunningHost> {
  const { settings, section, registryUrl, version, clock, sinks } = options
  openDataFolder(settings.data)
  const service = options.service ?? role.service
  const instance = `${service}-${createIdSource(4)()}`
  const agent = `msvc/${version} (${instance})`
  const metrics = createMetrics(service)
  const checks = new Map<string, HealthCheck>()
  const broken = Promise.withResolvers<Error>()
  let ready = false

  const life = createLifecycle((fault) => pipeline.log.warning('a part did not stop cleanly', { fault: String(fault) }))
  const authority = createAuthority({
    ...settings.auth,
    folder: `${settings.data}/keys`,
    clock,
    calls: role.calls(ownFields(section)),
    passesOn: role.passesOn ?? false,
  })
  const pipeline = createPipeline({
    service,
    instance,
    clock,
    metrics,
    sinks,
    level: settings.log.level,
    tracesPerSecond: settings.telemetry.traces_per_second,
    post: async (path, batch, signal) => {
      // the shipper tries again by itself: waiting for a log server to appear would only hold up a stop
      if (directory.instances('log-server').length === 0) throw new AppError('UNREACHABLE', 'No log-server is known')
      const body = JSON.stringify(batch)
      const answer = await client('log-server').raw(path, { method: 'POST', body, signal, headers: JSON_TYPE })
      await answer.body?.cancel()
      if (!answer.ok) throw new AppError('UPSTREAM_FAILED', `log-server answered ${answer.status}`)
    },
  })
  const { log, tracing } = pipeline
  addCheck('telemetry', pipeline.check, 'degraded')
  const directory = createDirectory({
    statics: settings.services,
    registryUrl,
    folder: settings.data,
    service,
    agent,
    authority,
    log,
    clock,
  })
  const { client, close: closeClients } = createClients({
    caller: service,
    agent,
    directory,
    clock,
    log,
    tracing,
    authority,
    settings: settings.client,
  })
  life.defer(closeClients)
  life.defer(() => directory.close())
  life.defer(() => pipeline.close())

  try {
    const remoteConfig = createRemoteConfig({
      client: client('config-server'),
      service,
      environment: settings.environment,
      clock,
      log,
      signal: life.signal,
      ...(role.live && { live: role.live }),
    })
    life.defer(() => remoteConfig.close())
    const ctx: RoleContext<unknown> = {
      role: role.name,
      service,
      instance,
      version,
      environment: settings.environment,
      config: ownFields(section),
      clock,
      log,
      metrics,
      tracing,
      authority,
      directory,
      registryUrl,
      remoteConfig,
      messaging: createMessaging({
        client: client('broker'),
        service,
        // where it listens nobody else does, and who is started again does too
        consumer: section.port === 0 ? instance : `${service}@${hostname()}:${section.port}`,
        clock,
        tracing,
        log,
        metrics,
        signal: life.signal,
        check: addCheck,
        defer: life.defer,
      }),
      signal: life.signal,
      waits: new Waits(settings.limits, life.signal),
      client,
      check: addCheck,
      defer: life.defer,
      secretKey: (name) => readSecretKey(`${settings.data}/keys`, name),
      store: <DB>(migrations: StoreOptions['migrations'], { expendable = false } = {}) => {
        hold(service, settings.store)
        const place = { url: settings.store, name: service, folder: settings.data, migrations }
        const opening = openStore<DB>(expendable ? { ...place, onDamaged: (what) => log.error(what) } : place)
        return opened('store', opening, { expendable })
      },
      bus: (limits) => {
        hold('bus', settings.bus)
        return opened('bus', openBus({ ...limits, url: settings.bus, folder: settings.data, clock }))
      },
      cache,
    }
    const running = await role.start(ctx)
    const chain = {
      service,
      summary: role.summary,
      version,
      clock,
      log,
      metrics,
      tracing,
      authority,
      hosts: settings.auth.hosts,
      origins: [...settings.auth.origins, ...(running.origins ?? [])],
      linkable: running.linkable ?? false,
      checks,
      isReady: () => ready && !life.stopping,
    }
    const listener = await listen({
      host: section.host,
      port: section.port,
      limits: settings.limits,
      layers: outerChain(chain),
      app: innerChain(running, chain),
      clock,
      ...(running.handle && { handle: running.handle }),
    })
    life.defer(() => listener.drain(settings.drain_seconds * 1000))
    await running.ready?.(life.signal)
    const url = printEndpoint({ host: section.host, port: listener.port })
    const place = advertisedPlace({ host: section.host, port: listener.port }, section.advertise)
    const advertised = printEndpoint(place)
    enrol(place)
    ready = true
    if (options.after !== undefined) log.warning(`${role.name} is back: the process before it ended (${options.after})`)
    log.info(`${role.name} ready at ${url}${advertised === url ? '' : `, registered as ${advertised}`}`)
    const { port } = listener
    return { role: role.name, service, instance, url, advertised, port, broken: broken.promise, stop: life.stop }
  } catch (fault) {
    await life.stop()
    throw fault
  }

  function addCheck(name: string, check: Check, failing: Failing = 'unhealthy') {
    checks.set(name, { check, failing })
  }

  /** Keeps this copy in the registry, and takes it out before the port closes. */
  function enrol(place: Place) {
    const registration = register({
      registryUrl,
      service,
      agent,
      ...place,
      authority,
      log,
      directory,
      metadata: { instance, version, role: role.name },
    })
    life.defer(async () => {
      if (await registration.leave()) await delay(LAST_CALLS_MS)
    })
  }

  /** What lies on a server is anybody's who may log in there. */
  function hold(database: string, url: string) {
    if (options.alone && isEmbedded(url)) life.defer(holdDatabase(settings.data, database).release)
  }

  /** One that is away is told of, and missed by nobody: what is shared by it has a local stand-in. */
  async function cache() {
    const outage = new Outage('the cache', log, clock)
    const part = await openCache({
      url: settings.cache,
      prefix: `${service}:`,
      clock,
      onAway: (fault) => outage.failed(fault, 'each copy goes by what it knows itself'),
      onBack: () => outage.over(),
    })
    await part.check(AbortSignal.timeout(FIRST_CHECK_MS)).catch((fault: unknown) => {
      log.error(`${messageOf(fault)}; until it answers each copy goes by what it knows itself`)
    })
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

const JSON_TYPE = { 'content-type': 'application/json' }

function ownFields({
  host: _host,
  port: _port,
  advertise: _advertise,
  ...own
}: Section): Readonly<Record<string, unknown>> {
  return own
}
