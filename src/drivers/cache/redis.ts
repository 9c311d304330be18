import { DriverError } from '../driver-error.ts'
import { checkTake, checkTtl } from './checks.ts'
import type { BucketLimit, Cache, CacheDriver, CacheOptions, Lease, Taken } from './contract.ts'
import { parseRedisUrl } from './redis/address.ts'
import { type RedisTimes, TIMES } from './redis/client.ts'
import { RedisConnection } from './redis/connection.ts'
import { ACQUIRE, RELEASE, RENEW, TAKE } from './redis/scripts.ts'
import { RedisTable } from './redis/table.ts'
import type { SharedTable } from './table.ts'

/**
 * A cache on a Redis server from 6.0 on, or on what speaks its protocol and runs its scripts, such as Valkey: one server, those behind Sentinels, or
 * a cluster (redis/address.ts has the URLs). Each call is one script: one round trip, atomic, by the server's clock, all keys in one hash slot.
 *
 * `open` rejects with DriverError `invalid` for what won't pass by itself: a wrong URL or password, rights that are missing, TLS where there is none,
 * a server that is too old or no Redis. One that can't be reached is away until it is back, which `onBack` tells; meanwhile every call fails at once.
 */
export const redis: CacheDriver = redisDriver(TIMES)

/** The same, which waits so long for its server. */
export function redisDriver(times: RedisTimes): CacheDriver {
  return {
    checkUrl(url) {
      parseRedisUrl(url)
    },
    async open({ url, prefix, onAway, onBack }: CacheOptions) {
      const connection = new RedisConnection({
        address: parseRedisUrl(url),
        probeKey: `${prefix}probe`,
        times,
        ...(onAway && { onAway }),
        ...(onBack && { onBack }),
      })
      await connection.opened()
      return new RedisCache(connection, prefix)
    },
  }
}

class RedisCache implements Cache {
  readonly shared = true
  readonly #connection: RedisConnection
  readonly #prefix: string

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
  }

  get notes(): readonly string[] {
    return this.#connection.notes
  }

  async take(key: string, limit: BucketLimit, cost = 1): Promise<Taken> {
    checkTake(limit, cost)
    const { perSecond, burst } = limit
    const answer = await this.#connection.run(TAKE, [`${this.#prefix}bucket:${key}`], [perSecond, burst, cost])
    if (!Array.isArray(answer)) throw odd(answer)
    const [allowed, left] = answer.map(Number)
    if (left === undefined || Number.isNaN(left)) throw odd(answer)
    return allowed === 1
      ? { allowed: true, left, retryAfterMs: 0 }
      : { allowed: false, left, retryAfterMs: ((cost - left) * 1000) / perSecond }
  }

  async acquire(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    checkTtl(ttlMs)
    const keys = [this.#leaseKey(name), `${this.#prefix}fence:${slotTag(name)}`]
    const fence = await this.#connection.run(ACQUIRE, keys, [holder, Math.ceil(ttlMs)])
    if (fence === null) return undefined
    if (typeof fence !== 'string') throw odd(fence)
    return { name, holder, fence: Number(fence) }
  }

  async renew({ name, fence }: Lease, ttlMs: number): Promise<boolean> {
    checkTtl(ttlMs)
    return (await this.#connection.run(RENEW, [this.#leaseKey(name)], [`${fence} `, Math.ceil(ttlMs)])) === 1
  }

  async release({ name, fence }: Lease): Promise<void> {
    await this.#connection.run(RELEASE, [this.#leaseKey(name)], [`${fence} `])
  }

  table(name: string): SharedTable {
    return new RedisTable(this.#connection, `${this.#prefix}table:${slotTag(name)}`)
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#connection.check(signal)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  #leaseKey(name: string): string {
    return `${this.#prefix}lease:${slotTag(name)}`
  }
}

/**
 * A name as a hash tag, so that all keys with it lie in one slot of a cluster (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
 * Braces in it would end the tag, and an empty one is none.
 */
function slotTag(name: string): string {
  return `{.${encodeURIComponent(name)}}`
}

function odd(answer: unknown): DriverError {
  return new DriverError(
    'unavailable',
    `cache: a script was answered with ${typeof answer}; is something else between here and Redis?`,
  )
}
