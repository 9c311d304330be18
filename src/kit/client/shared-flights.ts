/** Milliseconds after which a gathered flight starts although the one before it is still under way. */
const LONGEST_GATHERING_MS = 5

interface Lane {
  /** Flights under way. */
  flying: number
  /** The flight that gathers passengers. */
  gathering?: { readonly landed: Promise<unknown>; readonly depart: () => void } | undefined
}

/**
 * Lets those who ask the same at the same time share one flight, without anyone getting an answer that is older than the question: a
 * flight takes passengers only before it starts. The first to ask starts at once; those who come meanwhile gather, and start together
 * when it is back, or after 5 ms.
 */
export class SharedFlights {
  readonly #lanes = new Map<string, Lane>()

  /** Joins the flight of `key` that hasn't started, or starts one with `fly`. Rejects as `fly` does. */
  join(key: string, fly: () => Promise<unknown>): Promise<unknown> {
    const lane = this.#lanes.get(key)
    if (!lane) {
      const fresh: Lane = { flying: 0 }
      this.#lanes.set(key, fresh)
      return this.#start(key, fresh, fly)
    }
    lane.gathering ??= this.#gather(key, lane, fly)
    return lane.gathering.landed
  }

  #gather(key: string, lane: Lane, fly: () => Promise<unknown>): NonNullable<Lane['gathering']> {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const depart = () => {
      clearTimeout(timer)
      lane.gathering = undefined
      resolve(this.#start(key, lane, fly))
    }
    const timer = setTimeout(depart, LONGEST_GATHERING_MS)
    return { landed: promise, depart }
  }

  async #start(key: string, lane: Lane, fly: () => Promise<unknown>): Promise<unknown> {
    lane.flying++
    try {
      return await fly()
    } finally {
      lane.flying--
      if (lane.gathering) lane.gathering.depart()
      else if (lane.flying === 0) this.#lanes.delete(key)
    }
  }
}
