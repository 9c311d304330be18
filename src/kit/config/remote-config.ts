import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import type { ServiceClient } from '../client/service-client.ts'
import { Outage } from '../discovery/outage.ts'
import { parseExact } from '../exact-json.ts'
import { followEvents } from '../http/event-source.ts'
import type { Log } from '../telemetry/log.ts'
import type { RemoteConfig } from './changing-values.ts'
import { explain } from './explain.ts'

/** How long values are good without asking again, milliseconds (the seed's 300 s). */
const CACHE_MS = 300_000
/** Pause before the next try while the server is away, milliseconds. */
const RETRY_MS = 2_000
/** How long the watch stream has to open at first before the values are asked for without it, milliseconds. */
const HEAD_START_MS = 1_000

export interface RemoteConfigOptions {
  /** The config server's client. */
  readonly client: Pick<ServiceClient, 'raw'>
  readonly service: string
  readonly environment: string
  readonly clock: Clock
  readonly log: Log
  /** Ends it as `close` does. */
  readonly signal: AbortSignal
  /** What the service takes: another value of one of these keys is warned of. */
  readonly live?: z.ZodObject
  /** Milliseconds after which values are asked for again although no change was told. Default 300 000. */
  readonly cacheMs?: number
}

const Values = z.record(z.string(), z.unknown())

/** What is known of the server's values; `text` is compared, `etag` is sent along. */
interface Known {
  readonly values: Readonly<Record<string, unknown>>
  readonly text: string
  readonly etag: string | undefined
}

/**
 * Follows this service's values in the config server. Starts at once and returns without waiting: until the first answer every
 * getter gives its default.
 */
export function createRemoteConfig(options: RemoteConfigOptions): RemoteConfig {
  const { client, service, environment, clock, log, signal, cacheMs = CACHE_MS } = options
  const path = `/config/${encodeURIComponent(service)}/${encodeURIComponent(environment)}`
  const query = new URLSearchParams({ service, environment })
  const outage = new Outage('the config server', log, clock)
  const listeners = new Set<() => void>()
  const stop = new AbortController()
  let known: Known = { values: {}, text: '{}', etag: undefined }
  let timer: NodeJS.Timeout | undefined
  let refreshing: Promise<void> | undefined
  /** A change was told while an answer was on its way: that one may be too old. */
  let again = false
  let watching = false

  function plan(ms: number) {
    clearTimeout(timer)
    if (stop.signal.aborted) return
    timer = setTimeout(refresh, ms)
    timer.unref()
  }

  function refresh() {
    again = refreshing !== undefined
    refreshing ??= refreshOnce().finally(() => {
      refreshing = undefined
      if (again) refresh()
    })
  }

  async function refreshOnce() {
    if (stop.signal.aborted) return
    try {
      const next = await fetchValues()
      outage.over()
      plan(cacheMs)
      if (next) take(next)
    } catch (fault) {
      if (stop.signal.aborted) return
      outage.failed(fault, 'the last values known are used, or defaults')
      plan(Math.min(RETRY_MS, cacheMs))
    }
  }

  /** The server's values; undefined when they are the known ones. */
  async function fetchValues(): Promise<Known | undefined> {
    const headers = known.etag === undefined ? {} : { 'if-none-match': known.etag }
    const answer = await client.raw(path, { headers, signal: stop.signal })
    const text = await answer.text()
    if (answer.status === 304) return undefined
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    const values = Values.parse(parseExact(text))
    return { values, text, etag: answer.headers.get('etag') ?? undefined }
  }

  function take(next: Known) {
    const changed = next.text !== known.text
    known = next
    if (!changed) return
    log.info('configuration updated', { keys: Object.keys(next.values) })
    warnOfOthers(next.values)
    for (const notify of listeners) notify()
  }

  /** Who set a value by force, or before it was checked, hears that nobody goes by it. */
  function warnOfOthers(values: Known['values']) {
    if (!options.live) return
    for (const { path: at, message } of explain(options.live, values)) {
      log.warning(`the config server's ${at.join('.')} is passed over: ${message}`)
    }
  }

  const following = followEvents({
    connect: (headers, signal) => client.raw(`/config/watch?${query}`, { headers, signal }),
    onOpen() {
      watching = true
      refresh()
    },
    onEvent({ event }) {
      if (event === 'change') refresh()
    },
    onLost() {
      if (watching) plan(HEAD_START_MS)
      watching = false
    },
    signal: stop.signal,
    maxPauseMs: RETRY_MS,
  })
  plan(HEAD_START_MS)

  function end() {
    signal.removeEventListener('abort', end)
    stop.abort()
    clearTimeout(timer)
  }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()

  const get = (key: string) => (Object.hasOwn(known.values, key) ? known.values[key] : undefined)

  return {
    get,
    getString(key, otherwise) {
      const value = get(key)
      return typeof value === 'string' ? value : otherwise
    },
    getInteger(key, otherwise) {
      const value = get(key)
      return typeof value === 'number' && Number.isSafeInteger(value) ? value : otherwise
    },
    getNumber(key, otherwise) {
      const value = get(key)
      return typeof value === 'number' ? value : otherwise
    },
    getBoolean(key, otherwise) {
      const value = get(key)
      return typeof value === 'boolean' ? value : otherwise
    },
    onChange(notify) {
      listeners.add(notify)
      return () => listeners.delete(notify)
    },
    async close() {
      end()
      await following
      await refreshing
    },
  }
}
