import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../drivers/clock.ts'
import type { HeldPort } from '../drivers/system/held-port.ts'
import type { Authority } from './auth/authority.ts'
import { createClients } from './client/clients.ts'
import { platformAuthority } from './config/platform-authority.ts'
import { createRemoteConfig } from './config/remote-config.ts'
import { ownFields, type Section, type Settings } from './config/schema.ts'
import { RoleCutover } from './cutover/role-cutover.ts'
import { giveVerdict } from './cutover/verdict.ts'
import { openDataFolder } from './data-folder.ts'
import { isLoopbackName } from './discovery/address-rule.ts'
import { advertisedPlace, type Place, roleReachedHere } from './discovery/advertised.ts'
import { printEndpoint } from './discovery/endpoint.ts'
import { register } from './discovery/registration.ts'
import { createDirectory } from './discovery/registry-directory.ts'
import { AppError } from './errors.ts'
import type { HealthCheck } from './health-check.ts'
import { listen } from './http/listener.ts'
import { LoopbackPorts } from './http/loopback-ports.ts'
import { createLifecycle } from './lifecycle.ts'
import { innerChain, outerChain } from './middleware/chain.ts'
import { MovingRun } from './moving-run.ts'
import type { AnyRole } from './role.ts'
import { createIdSource } from './telemetry/ids.ts'
import type { LogSink } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createPipeline } from './telemetry/pipeline.ts'

/** How long requests sent just before a stop may still arrive after the registry was told, milliseconds. */
const LAST_CALLS_MS = 100

/** What a role is run with. */
export interface HostOptions {
  readonly settings: Settings
  /** The role's section: where it listens, and its own fields. */
  readonly section: Section
  /** Its name in the registry instead of the role's own (SERVICE_NAME). */
  readonly service?: string
  /** Holds what it opens in the data folder against other processes. Default false: whoever starts it does, and its replicas share. */
  readonly alone?: boolean
  /** Why the replica before it ended. */
  readonly after?: string
  /** This replica's id. Default: its service's name with a random number. */
  readonly instance?: string
  /** Who checks and makes tokens. Default: the platform's, by its settings. */
  readonly authority?: Authority
  /** Who started it keeps it in the registry, and sends on what it writes to its sinks. Default false: it does so itself. */
  readonly isKept?: boolean
  /** Whether its port is held for this process (held-port.ts). Default false. */
  readonly held?: boolean
  /** Where the registry is. */
  readonly registryUrl: string
  readonly version: string
  readonly clock: Clock
  /** Descriptors of sockets that listen already, in place of the section's host and port: a service manager's. Default: none. */
  readonly handed?: readonly number[]
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
  /** Its loopback ports, each where it listens. */
  readonly loopback: LoopbackPorts['open']
  /** Resolves with why it is of no use any more, so that it must be stopped and started anew; never while all is well. */
  readonly broken: Promise<Error>
  /**
   * Has it take other values of what it reloads, by their keys in its section; resolves once they hold, and what they close is closed. Rejects with why it
   * can't: then it is to be started anew.
   */
  reload(changes: Readonly<Record<string, unknown>>): Promise<void>
  /** Its part in a move of the platform to other places. */
  readonly cutover: Pick<RoleCutover, 'prepare' | 'hold' | 'begin'>
  /** As `Listener.join`. */
  join(held?: HeldPort): Promise<void>
  /** Leaves the registry, drains, closes everything in reverse order. May be called twice. */
  stop(): Promise<void>
}

/**
 * Runs one role: opens what it asks for, puts the chain around its routes, listens, registers. Resolves when it is ready.
 * A start that fails closes what it had opened; throws AppError, such as `START_FAILED` for a taken port.
 */
export async function runRole(role: AnyRole, options: HostOptions): Promise<RunningHost> {
  const { settings, section, registryUrl, version, clock, sinks, isKept = false, handed = [] } = options
  openDataFolder(settings.data)
  const service = options.service ?? role.service
  const instance = options.instance ?? `${service}-${createIdSource(4)()}`
  const agent = `msvc/${version} (${instance})`
  const metrics = createMetrics(service)
  const checks = new Map<string, HealthCheck>()
  let ready = false

  const life = createLifecycle((fault) => pipeline.log.warning('a part did not stop cleanly', { fault: String(fault) }))
  const authority =
    options.authority ??
    platformAuthority(settings, clock, { calls: role.calls(ownFields(section)), passesOn: role.passesOn ?? false })
  // a service of the user's own starts before the gateway that has the keys: that one waits for it
  if (!options.authority && authority.check) checks.set('keys', { check: authority.check, failing: 'unhealthy' })
  const pipeline = createPipeline({
    service,
    instance,
    clock,
    metrics,
    sinks,
    shipsEntries: !isKept,
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
  checks.set('telemetry', { check: pipeline.check, failing: 'degraded' })
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
    const moving = new MovingRun(role, {
      settings,
      section,
      alone: options.alone ?? false,
      service,
      instance,
      version,
      clock,
      log,
      metrics,
      tracing,
      authority,
      directory,
      registryUrl,
      remoteConfig,
      client,
      checks,
      signal: life.signal,
    })
    life.defer(() => moving.stop())
    const running = await moving.start(settings)
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
    moving.open((run) => innerChain(run, chain))
    const { limits } = settings
    const layers = outerChain(chain)
    const listener = await listen({
      host: section.host,
      port: section.port,
      isHeld: options.held ?? false,
      handed,
      limits,
      layers: layers.own,
      app: moving,
      handle: (exchange) => moving.handle(exchange),
      door: moving.door,
      clock,
    })
    // what it listens on may be narrower than what was asked for, where the kernel knows no IPv6
    const { host } = handed.length > 0 || section.host === '::' ? listener : section
    const drainMs = settings.drain_seconds * 1000
    const loopback = new LoopbackPorts({ limits, layers: layers.loopback, door: moving.door, clock, drainMs })
    let told = section
    let reloading: Promise<unknown> = Promise.resolve()
    life.defer(async () => {
      await Promise.all([listener.drain(drainMs), reloading.then(() => loopback.close())])
    })
    const open = listener.handedHosts.find((each) => !isLoopbackName(each))
    if (settings.auth.mode === 'local' && open !== undefined)
      throw new AppError(
        'CONFIG_INVALID',
        `the socket that the service manager hands over listens on ${open}, which other machines reach and auth.mode local does not protect; use 127.0.0.1, or set auth.mode: token`,
      )
    await loopback.set(running.loopback ?? [])
    await running.ready?.(life.signal)
    const url = printEndpoint({ host: host === '::' ? roleReachedHere(host) : host, port: listener.port })
    const place = advertisedPlace({ host, port: listener.port }, section.advertise)
    const advertised = printEndpoint(place)
    if (!isKept) enrol(place)
    ready = true
    if (options.after !== undefined) log.warning(`${role.name} is back: the process before it ended (${options.after})`)
    for (const { name, port } of loopback.open) log.debug(`${name}: http://127.0.0.1:${port}`)
    log.info(`${role.name} ready at ${url}${advertised === url ? '' : `, registered as ${advertised}`}`)
    return {
      role: role.name,
      service,
      instance,
      url,
      advertised,
      port: listener.port,
      get loopback() {
        return loopback.open
      },
      broken: moving.broken,
      async reload(changes) {
        if (life.stopping) throw new AppError('STOPPING', 'The role is stopping')
        const changed = { ...told, ...changes }
        const { loopback: ports = [] } = moving.reload(changed)
        told = changed
        const settled = loopback.set(ports)
        reloading = settled.catch(() => {})
        await settled
      },
      cutover: new RoleCutover({
        role: moving,
        clock,
        log,
        verdictOn: (id) => giveVerdict(settings.data, { outcome: 'stayed', id }),
        signal: life.signal,
      }),
      join: listener.join,
      stop: life.stop,
    }
  } catch (fault) {
    await life.stop()
    throw fault
  }

  /** Keeps this replica in the registry, and takes it out before the port closes. */
  function enrol(place: Place) {
    const registration = register({
      registryUrl,
      service,
      agent,
      ...place,
      authority,
      log,
      directory,
      now: clock.now,
      metadata: { instance, version, role: role.name },
    })
    life.defer(async () => {
      if (await registration.leave()) await delay(LAST_CALLS_MS)
    })
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
