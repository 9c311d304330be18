import { randomInt } from 'node:crypto'

/** Somebody who uses a pool. */
export interface Sharer {
  /** Who it is for: `callerNumber`. */
  readonly caller: number
  /** Whether its body is streamed, so that a slow client holds the connection as long as it likes. */
  readonly upload: boolean
}

/** Whose share is used up: the one who asks has enough, or the uploads together have. */
export type Shortage = 'share' | 'overloaded'

/** Parts of a pool's connections, each above 0 and at most 1. */
export interface ShareLimits {
  /** Most that streamed uploads may hold, all together. */
  readonly uploadShare: number
  /** What one caller may hold whatever the others do; the most that his uploads may. He gets more only as long as as much is left for others. */
  readonly callerShare: number
}

/** A number for a caller, by the key of his rate bucket (FNV-1a, 32 bits). */
export function callerNumber(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash
}

/**
 * Who holds how much of a pool. Callers are told apart by a slot of a table of counters, so that a request allocates nothing and no number
 * of callers makes it grow; which slot is random by pool, so that nobody can choose with whom he shares one.
 */
export class Shares {
  readonly #uploads: number
  readonly #one: number
  /** In use, beyond which only those get more who have less than their share. */
  readonly #common: number
  readonly #seed = randomInt(2 ** 32)
  readonly #held = new Uint16Array(SLOTS)
  readonly #uploading = new Uint16Array(SLOTS)
  #inUse = 0
  #uploadsInUse = 0

  /** @param connections the pool's */
  constructor(connections: number, { uploadShare, callerShare }: ShareLimits) {
    this.#uploads = partOf(connections, uploadShare)
    this.#one = partOf(connections, callerShare)
    this.#common = connections - this.#one
  }

  /** Counts a sharer in until `leave`; or says whose share is used up, and counts nothing. */
  enter({ caller, upload }: Sharer): Shortage | undefined {
    const slot = this.#slotOf(caller)
    const held = this.#held[slot] ?? 0
    if (held >= this.#one && this.#inUse >= this.#common) return 'share'
    if (upload) {
      const uploading = this.#uploading[slot] ?? 0
      if (uploading >= this.#one) return 'share'
      if (this.#uploadsInUse >= this.#uploads) return 'overloaded'
      this.#uploading[slot] = uploading + 1
      this.#uploadsInUse++
    }
    this.#held[slot] = held + 1
    this.#inUse++
    return undefined
  }

  /** Counts one out that had entered. */
  leave({ caller, upload }: Sharer): void {
    const slot = this.#slotOf(caller)
    this.#held[slot] = (this.#held[slot] ?? 0) - 1
    this.#inUse--
    if (!upload) return
    this.#uploading[slot] = (this.#uploading[slot] ?? 0) - 1
    this.#uploadsInUse--
  }

  #slotOf(caller: number): number {
    return Math.imul(caller ^ this.#seed, 0x9e3779b1) >>> (32 - SLOT_BITS)
  }
}

/** At least one; all is no bound at all. */
function partOf(connections: number, share: number): number {
  return share === 1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(connections * share))
}

/** With so many slots, one of a pool's few hundred callers seldom shares his with another. */
const SLOT_BITS = 12
const SLOTS = 1 << SLOT_BITS
