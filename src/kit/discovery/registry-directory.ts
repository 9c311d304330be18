import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { ReceivedEvent } from '../http/event-parser.ts'
import { followEvents } from '../http/event-source.ts'
import type { Log } from '../telemetry/log.ts'
import { refusedHost } from './address-rule.ts'
import type { Directory, Instance } from './directory.ts'
import { type Endpoint, endpointsFault, parseEndpoint, parseEndpoints, printEndpoint } from './endpoint.ts'
import { KeptList } from './kept-list.ts'
import { KnownInstances } from './known-instances.ts'
import { Outage } from './outage.ts'
import { type RegistryCallsOptions, registryCalls } from './registry-calls.ts'
import { Down, Snapshot, Up, WATCH_EVENTS } from './watch-events.ts'

/** How long an instance that a restarted registry does not know (yet) is kept, milliseconds: more than a heartbeat. */
const GRACE_MS = 15_000
/** How long the registry may take for its first word, milliseconds, until the list kept from before is used: less than a call waits for a service. */
const FIRST_WORD_MS = 900
/** How long the registry may take to begin an answer, milliseconds: then it counts as away, and the next address is used where there are several. */
const ANSWER_MS = 2_000
/** Longest event that is read, in characters: a snapshot of the 10 000 instances that a registry holds, each as large as it may be. */
const MAX_SNAPSHOT = 67_108_864

/** What a directory is fed from. */
export interface DirectoryOptions extends Omit<RegistryCallsOptions, 'registryUrl'> {
  /** Addresses by service name, several separated by commas: these win over the registry's. */
  readonly statics: Readonly<Record<string, string>>
  /** Where the registry is, several addresses separated by commas. Empty: no connection is made, `statics` are all there is. */
  readonly registryUrl: string
  readonly log: Log
  readonly clock: Clock
  /** Where the last list is kept, for a start while the registry doesn't answer. Absent: nowhere. */
  readonly folder?: string
  /** Milliseconds an instance stays that a restarted registry does not know. Default 15 000. */
  readonly graceMs?: number
}

/** A directory that also tells when it has reached the registry (again). */
export interface RegistryDirectory extends Directory {
  /** Calls back each time the watch stream opens; returns how to stop. */
  onConnect(notify: () => void): () => void
}

/**
 * A directory fed by /registry/watch: no polling, and the last known list while the registry is away or silent, over a restart too.
 * Starts to connect at once; returns without waiting. Throws AppError `CONFIG_INVALID` for a static address that isn't a URL.
 */
export function createDirectory(options: DirectoryOptions): RegistryDirectory {
  const { registryUrl, log, clock, folder, graceMs = GRACE_MS } = options
  const fixed = staticInstances({ registry: registryUrl, ...options.statics })
  const known = new KnownInstances(graceMs)
  const kept = folder === undefined ? undefined : new KeptList({ folder, registryUrl, log })
  const outage = new Outage('the registry', log, clock)
  const changeListeners = new Set<(service: string) => void>()
  const connectListeners = new Set<() => void>()
  const stop = new AbortController()
  let dropTimer: NodeJS.Timeout | undefined
  let recallTimer: NodeJS.Timeout | undefined
  /** The registry has spoken, or who spoke for it was heard. */
  let heard = false
  const settled = Promise.withResolvers<void>()

  const instances = (service: string) => fixed.get(service) ?? known.instances(service)

  /** Falls back on what was known before, unless the registry has spoken. */
  function recall() {
    clearTimeout(recallTimer)
    if (heard) return
    heard = true
    settled.resolve()
    const list = kept?.load()
    if (!list) return
    // a registry that stays away is told of by itself; one that starts at the same time speaks a moment later
    log.debug('the registry does not answer yet: the list kept from before is used', {
      instances: list.instances.length,
    })
    tell(known.recall({ ...list, instances: list.instances.filter(isCallable) }))
  }

  function tell(changed: ReadonlySet<string>) {
    for (const service of changed) if (!fixed.has(service)) for (const notify of changeListeners) notify(service)
    planDrop()
  }

  function planDrop() {
    clearTimeout(dropTimer)
    const at = known.nextDrop()
    if (at === Number.POSITIVE_INFINITY || stop.signal.aborted) return
    dropTimer = setTimeout(() => tell(known.dropMissing(clock.monotonic())), Math.max(1, at - clock.monotonic()))
    dropTimer.unref()
  }

  function isCallable({ service_name, host, url }: Instance): boolean {
    // the host that is told and the one that is called may differ: both count
    const refused = refusedHost(host) ?? endpointsFault(url) ?? refusedHost(parseEndpoint(url).host)
    if (refused !== undefined)
      log.error(`the registry names an address of ${service_name} that is refused: ${refused}`, { host, url })
    return refused === undefined
  }

  function take(event: ReceivedEvent) {
    heard = true
    clearTimeout(recallTimer)
    takeIn(event)
    settled.resolve()
    kept?.save(() => known.all())
  }

  function takeIn({ event, data }: ReceivedEvent) {
    if (event === WATCH_EVENTS.snapshot) {
      const { registry, instances } = Snapshot.parse(JSON.parse(data))
      tell(known.replace({ registry, instances: instances.filter(isCallable) }, clock.monotonic()))
    } else if (event === WATCH_EVENTS.up) {
      const { instance } = Up.parse(JSON.parse(data))
      tell(isCallable(instance) ? known.up(instance) : known.down(instance.service_name, instance.id))
    } else if (event === WATCH_EVENTS.down) {
      const { service_name, id } = Down.parse(JSON.parse(data))
      tell(known.down(service_name, id))
    }
  }

  async function watch() {
    const call = registryCalls(options)
    await followEvents({
      connect: (headers, signal) => call('/registry/watch', { headers, signal }),
      connectMs: ANSWER_MS,
      onOpen() {
        outage.over()
        for (const notify of connectListeners) notify()
      },
      onEvent: take,
      onLost(cause) {
        recall()
        known.lost()
        planDrop()
        outage.failed(cause, 'the last known list is used')
      },
      signal: stop.signal,
      maxLength: MAX_SNAPSHOT,
    })
  }

  if (registryUrl === '') settled.resolve()
  else recallTimer = setTimeout(recall, FIRST_WORD_MS).unref()
  const watching = registryUrl === '' ? Promise.resolve() : watch()

  return {
    instances,
    settled: settled.promise,
    waitFor(service, signal) {
      const already = instances(service)
      if (already.length > 0) return Promise.resolve(already)
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = instances(service)
          if (found.length === 0) return
          leave()
          resolve(found)
        }
        const giveUp = () => {
          leave()
          reject(new AppError('UNREACHABLE', `No instance of ${service} is known`, { cause: signal.reason }))
        }
        const leave = () => {
          changeListeners.delete(look)
          signal.removeEventListener('abort', giveUp)
          stop.signal.removeEventListener('abort', giveUp)
        }
        changeListeners.add(look)
        signal.addEventListener('abort', giveUp)
        stop.signal.addEventListener('abort', giveUp)
        if (signal.aborted || stop.signal.aborted) giveUp()
      })
    },
    onChange(notify) {
      changeListeners.add(notify)
      return () => changeListeners.delete(notify)
    },
    onConnect(notify) {
      connectListeners.add(notify)
      return () => connectListeners.delete(notify)
    },
    async close() {
      stop.abort()
      clearTimeout(dropTimer)
      clearTimeout(recallTimer)
      await watching
      await kept?.close()
    },
  }
}

function staticInstances(statics: Readonly<Record<string, string>>): ReadonlyMap<string, readonly Instance[]> {
  const given = Object.entries(statics).filter(([, list]) => list !== '')
  return new Map(
    given.map(([service, list]) => {
      const fault = endpointsFault(list)
      if (fault !== undefined) {
        const message = `The address of ${service} is ${fault}; write it as http://host:port, with a base path where it has one`
        throw new AppError('CONFIG_INVALID', message)
      }
      return [service, Object.freeze(parseEndpoints(list).map((endpoint) => staticInstance(service, endpoint)))]
    }),
  )
}

function staticInstance(service: string, endpoint: Endpoint): Instance {
  const { host, port } = endpoint
  const url = printEndpoint(endpoint)
  return Object.freeze({
    id: `static:${service}:${url}`,
    service_name: service,
    host,
    port,
    url,
    tags: [],
    metadata: {},
  })
}
