import type { Clock } from '../../drivers/clock.ts'
import { refusedHost } from '../discovery/address-rule.ts'
import type { Directory, Instance } from '../discovery/directory.ts'
import { parseEndpoint } from '../discovery/endpoint.ts'
import type { ConnectionOptions } from './connection.ts'
import { InstancePool, type PoolLimits } from './pool.ts'

/** Milliseconds for connecting. */
const CONNECT_TIMEOUT_MS = 2_000
/** Milliseconds an idle connection is kept: less than servers usually keep theirs (Node 5 s, Apache 5 s, nginx 75 s). */
const IDLE_MS = 4_000
const SWEEP_MS = 1_000
const MAX_WAITING = 1_024
const MAX_WAITING_UPLOADS = 256

/** The connection pools of all instances that somebody talks to. */
export interface Upstreams {
  /** The pool of an instance; undefined when its address is one that no service may have. */
  poolOf(instance: Instance): InstancePool | undefined
  /** Closes everything; requests under way break off. */
  close(): void
}

/** What the pools are made with. */
export interface UpstreamsOptions {
  readonly directory: Pick<Directory, 'instances' | 'onChange'>
  readonly clock: Clock
  readonly limits: Pick<PoolLimits, 'maxConnections' | 'uploadShare' | 'callerShare'>
  /** See ConnectionOptions. */
  readonly lookup?: ConnectionOptions['lookup']
}

/**
 * Makes the pools as instances are first asked for. Pools of instances that the directory no longer lists close as their requests end.
 * Idle connections are swept once a second; the timer keeps no process alive.
 */
export function createUpstreams({ directory, clock, limits, lookup }: UpstreamsOptions): Upstreams {
  const pools = new Map<string, { readonly pool: InstancePool; readonly service: string }>()

  const sweep = setInterval(() => {
    const now = clock.monotonic()
    for (const { pool } of pools.values()) pool.sweep(now)
  }, SWEEP_MS)
  sweep.unref()

  const unsubscribe = directory.onChange((service) => {
    const listed = new Set(directory.instances(service).map(keyOf))
    for (const [key, held] of pools) {
      if (held.service !== service || listed.has(key)) continue
      pools.delete(key)
      held.pool.close()
    }
  })

  function open(key: string, { host, url, service_name }: Instance): InstancePool | undefined {
    if (refusedHost(host) !== undefined) return undefined
    const endpoint = parseEndpoint(url)
    const pool = new InstancePool(
      { endpoint, connectTimeoutMs: CONNECT_TIMEOUT_MS, idleMs: IDLE_MS, clock, lookup },
      { ...limits, maxWaiting: MAX_WAITING, maxWaitingUploads: MAX_WAITING_UPLOADS },
    )
    pools.set(key, { pool, service: service_name })
    return pool
  }

  return {
    poolOf(instance) {
      const key = keyOf(instance)
      return pools.get(key)?.pool ?? open(key, instance)
    },
    close() {
      clearInterval(sweep)
      unsubscribe()
      for (const { pool } of pools.values()) pool.destroy()
      pools.clear()
    },
  }
}

/** Instances of one service at one address share their connections, also when the address registered anew. */
const keyOf = ({ url }: Instance) => url
