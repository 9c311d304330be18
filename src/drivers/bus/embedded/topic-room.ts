import { DriverError } from '../../driver-error.ts'
import type { Publication } from '../publisher.ts'

/** A topic is never removed: until somebody allows for more, asking again is in vain. An hour, in seconds. */
const NO_TOPIC_GOES_S = 3_600

/** How many topics there may be. */
export interface TopicRoomOptions {
  /** Most topics besides the reserved ones. */
  readonly maxTopics: number
  /** Of these, how many one owner may make. */
  readonly maxTopicsPerOwner: number
  /** Names of topics that there is always a place for. */
  readonly reservedTopics: readonly string[]
}

/** Says whether there is room for new topics: for all together, and for those of one owner. */
export class TopicRoom {
  readonly #maxTopics: number
  readonly #maxPerOwner: number
  readonly #reserved: ReadonlySet<string>
  /** How many topics of each owner there are, besides the reserved ones. */
  readonly #counts = new Map<string, number>()

  constructor({ maxTopics, maxTopicsPerOwner, reservedTopics }: TopicRoomOptions) {
    this.#maxTopics = maxTopics
    this.#maxPerOwner = maxTopicsPerOwner
    this.#reserved = new Set(reservedTopics)
  }

  /** A topic came (1) or went (-1). */
  count({ name, owner }: { readonly name: string; readonly owner: string | undefined }, more: 1 | -1): void {
    if (owner !== undefined && !this.#reserved.has(name)) this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + more)
  }

  /**
   * Throws DriverError `too-many` when messages are for more new topics than there may be, or than are left of their owner's share.
   * @param known the topics that there are, by their names
   */
  check(messages: readonly Publication[], owner: string | undefined, known: ReadonlyMap<string, unknown>): void {
    const own = owner === undefined ? 0 : (this.#counts.get(owner) ?? 0)
    const mayMake = owner === undefined ? this.#maxTopics : this.#maxPerOwner - own
    if (known.size + messages.length <= this.#maxTopics && messages.length <= mayMake) return
    const made = new Set<string>()
    for (const { topic } of messages) {
      if (!known.has(topic) && !this.#reserved.has(topic)) made.add(topic)
    }
    if (made.size === 0) return
    if (owner !== undefined && made.size > mayMake) throw tooMany(`${owner} has`, 'one may have')
    let reserved = 0
    for (const name of this.#reserved) if (known.has(name)) reserved++
    if (known.size - reserved + made.size > this.#maxTopics) throw tooMany('there are', 'there may be')
  }
}

function tooMany(whose: string, most: string): DriverError {
  const message = `${whose} as many topics as ${most}, and none ever goes: put what varies into the message`
  return new DriverError('too-many', message, { retryAfterS: NO_TOPIC_GOES_S })
}
