import type { Cache, Taken } from '../../drivers/cache/contract.ts'
import { TokenBuckets } from '../../drivers/cache/token-buckets.ts'
import type { Clock } from '../../drivers/clock.ts'
import { Outage } from '../../kit/discovery/outage.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { Limiter } from './rate-limits.ts'
import type { RateLimit } from './route-table.ts'

/** How long a request waits for the cache, milliseconds: a hundred times what it takes in the same network, and too little to be noticed. */
const PATIENCE_MS = 25
/** Requests in a row that waited in vain, after which none does any more. */
const MOST_LATE = 3
/** How often a cache that did not answer is asked whether it does, milliseconds. */
const PROBE_MS = 200

/** What the limits of all gateways are counted with. */
export interface SharedLimitsOptions {
  readonly cache: Pick<Cache, 'take' | 'check'>
  /** How many gateways there are, as far as is known. */
  readonly replicas: () => number
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Pick<GatewayMetrics, 'limitedLocally'>
}

/**
 * Limits that hold for all gateways together: each take is one round trip to the cache. Where it is away, or slow, a request waits for it 25 ms at
 * most, soon not at all: then each gateway goes by its own share, which is the limit by the number of gateways, of at least one request at a time. As
 * soon as the cache answers again it counts.
 */
export class SharedLimits {
  readonly #options: SharedLimitsOptions
  readonly #outage: Outage
  /** Answers in a row that came too late. */
  #late = 0
  #isAway = false
  #probe: NodeJS.Timeout | undefined

  constructor(options: SharedLimitsOptions) {
    this.#options = options
    this.#outage = new Outage('the count of limits that all gateways share', options.log, options.clock)
  }

  /** Makes a limiter. @param name tells its buckets from those of other limits; the same at all gateways */
  limiter(name: string, { per_second: perSecond, burst }: RateLimit): Limiter {
    const { cache, clock, replicas, metrics } = this.#options
    const limit = { perSecond, burst }
    // they count on all the while, so that a gateway doesn't begin with a full share when the cache goes
    const own = new TokenBuckets()
    const ownTake = (key: string) => {
      const share = Math.max(1, replicas())
      return own.take(key, { perSecond: perSecond / share, burst: Math.max(1, burst / share) }, clock.monotonic())
    }
    return {
      take: (key) => {
        const instead = ownTake(key)
        if (this.#isAway) {
          metrics.limitedLocally()
          return instead
        }
        return this.#inTime(cache.take(`${name} ${key}`, limit)).catch(() => {
          metrics.limitedLocally()
          return instead
        })
      },
    }
  }

  /** Ends the asking for a cache that is away. */
  close(): void {
    clearInterval(this.#probe)
  }

  /** What the cache says, if it does so in time. */
  async #inTime(taking: Promise<Taken>): Promise<Taken> {
    const late = Promise.withResolvers<never>()
    let lastLook: NodeJS.Immediate | undefined
    const timer = setTimeout(() => {
      // a loop that was busy runs its timers before it looks at what came in: an answer that is there already counts
      lastLook = setImmediate(() => {
        if (++this.#late >= MOST_LATE) this.#goLocal()
        late.reject(new Error(`the cache takes longer than ${PATIENCE_MS} ms`))
      })
    }, PATIENCE_MS)
    const answering = taking.catch((fault: unknown) => {
      this.#goLocal()
      throw fault
    })
    try {
      const taken = await Promise.race([answering, late.promise])
      this.#late = 0
      return taken
    } finally {
      clearTimeout(timer)
      clearImmediate(lastLook)
    }
  }

  #goLocal(): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#probe = setInterval(() => void this.#lookAgain(), PROBE_MS).unref()
  }

  async #lookAgain(): Promise<void> {
    try {
      await this.#options.cache.check(AbortSignal.timeout(PATIENCE_MS))
    } catch (fault) {
      this.#outage.failed(fault, 'each gateway goes by its share')
      return
    }
    clearInterval(this.#probe)
    this.#outage.over()
    this.#late = 0
    this.#isAway = false
  }
}
