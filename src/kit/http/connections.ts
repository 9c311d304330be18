/** Share of the most connections from which on idle ones are given up. */
const NEAR = 0.9
/** How many are given up at once, as a share: to look through all of them for each that comes would cost more than they do. */
const BATCH = 0.01

/** How many connections there may be. */
export interface ConnectionsLimits {
  readonly max_connections: number
  /** Most of them, as a share, that one address other than a loopback one may have. */
  readonly connections_share: number
}

/** One of a listener's connections, as its bounds see it. */
export interface Member {
  /** What counts as its client, for shares. */
  readonly group: string
  /** Its place among the others. */
  index: number
  /** When nothing was under way any more; larger is later. */
  readonly idleSince: number
  /** Whether nothing is under way: whoever closes it then takes nothing from anybody. */
  readonly isIdle: boolean
  /** Whether its client still owes a part of the one request under way. */
  readonly owesBody: boolean
  close(): void
}

/**
 * A listener's connections. Before they are too many the longest idle ones are closed, so that who holds many and does nothing locks nobody out;
 * and one address can't have them all.
 */
export class Connections {
  readonly #most: number
  readonly #share: number
  readonly #all: Member[] = []
  /** By address. Those of loopback aren't counted: all local clients have it. */
  readonly #counts = new Map<string, number>()

  constructor({ max_connections, connections_share }: ConnectionsLimits) {
    this.#most = max_connections
    this.#share = Math.max(1, Math.floor(max_connections * connections_share))
  }

  /** Takes one in, giving up others that are idle where it must; false when there is no room for it. */
  admit(connection: Member): boolean {
    const { group } = connection
    const count = this.#counts.get(group) ?? 0
    if (count >= this.#share && this.#giveUp(1, (other) => other.group === group && other.isIdle) === 0) return false
    const batch = Math.ceil(this.#most * BATCH)
    const size = this.#all.length + 1
    if (size > this.#most * NEAR && this.#giveUp(batch, (other) => other.isIdle) === 0 && size >= this.#most)
      this.#giveUp(batch, (other) => other.owesBody)
    connection.index = this.#all.push(connection) - 1
    if (!isLoopback(group)) this.#counts.set(group, (this.#counts.get(group) ?? 0) + 1)
    return true
  }

  /** Forgets one. */
  remove(connection: Member): void {
    const { index, group } = connection
    if (this.#all[index] !== connection) return
    const last = this.#all.pop()
    if (last && last !== connection) {
      this.#all[index] = last
      last.index = index
    }
    const count = this.#counts.get(group)
    if (count === undefined) return
    if (count > 1) this.#counts.set(group, count - 1)
    else this.#counts.delete(group)
  }

  /** Closes at most `count` of those that fit, the longest idle first; how many it were. */
  #giveUp(count: number, fits: (connection: Member) => boolean): number {
    const found = this.#all.filter(fits).sort((one, other) => one.idleSince - other.idleSince)
    for (const connection of found.slice(0, count)) {
      this.remove(connection)
      connection.close()
    }
    return Math.min(found.length, count)
  }
}

const isLoopback = (group: string) => group.startsWith('127.') || group === '0:0:0:0::/64'
