import { AgeList, Place } from './age-list.ts'

/** Share of the most connections from which on idle ones are given up. */
const NEAR = 0.9
/** How many that aren't idle are looked at for each that finds no room, to give up one that owes a body. */
const LOOKED_AT = 100

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
  /** Whether its client still owes a part of the one request under way. */
  readonly owesBody: boolean
  close(): void
}

/** The connections of one address. */
interface Group {
  count: number
  readonly idle: AgeList<Seat>
}

/** A connection's seat among a listener's. It is idle when it is taken, and whenever nothing is under way: to close it then takes nothing from anybody. */
export class Seat {
  readonly member: Member
  readonly #idle: AgeList<Seat>
  readonly #busy: AgeList<Seat>
  readonly #group: Group
  /** In one of the two. */
  readonly #place = new Place<Seat>(this)
  readonly #placeInGroup = new Place<Seat>(this)
  #isGone = false

  constructor(member: Member, idle: AgeList<Seat>, busy: AgeList<Seat>, group: Group) {
    this.member = member
    this.#idle = idle
    this.#busy = busy
    this.#group = group
    this.idle()
  }

  /** It is idle from now on, the youngest of those that are. */
  idle(): void {
    if (this.#isGone) return
    this.#idle.join(this.#place)
    this.#group.idle.join(this.#placeInGroup)
  }

  /** Something is under way. */
  busy(): void {
    if (this.#isGone) return
    this.#busy.join(this.#place)
    this.#placeInGroup.leave()
  }

  /** Leaves both lists for good; false when it has before. */
  leave(): boolean {
    if (this.#isGone) return false
    this.#isGone = true
    this.#place.leave()
    this.#placeInGroup.leave()
    return true
  }
}

/**
 * A listener's connections. Before they are too many the longest idle ones are closed, so that who holds many and does nothing locks nobody out;
 * and one address can't have them all. What one that comes costs doesn't grow with how many there are.
 */
export class Connections {
  readonly #most: number
  readonly #share: number
  readonly #idle = new AgeList<Seat>()
  readonly #busy = new AgeList<Seat>()
  readonly #groups = new Map<string, Group>()
  #count = 0

  constructor({ max_connections, connections_share }: ConnectionsLimits) {
    this.#most = max_connections
    this.#share = Math.max(1, Math.floor(max_connections * connections_share))
  }

  /** Takes one in, giving up others that are idle where it must; undefined when there is no room for it. */
  admit(member: Member): Seat | undefined {
    const group = this.#groups.get(member.group) ?? { count: 0, idle: new AgeList<Seat>() }
    // all local clients have a loopback address
    const isFull = group.count >= this.#share && !isLoopback(member.group)
    if (isFull && !this.#giveUp(group.idle.oldest)) return undefined
    const size = this.#count + 1
    if (size > this.#most * NEAR && !this.#giveUp(this.#idle.oldest) && size >= this.#most) this.#giveUpDebtor()
    this.#groups.set(member.group, group)
    group.count++
    this.#count++
    return new Seat(member, this.#idle, this.#busy, group)
  }

  /** Forgets one. Twice is as good as once. */
  remove(seat: Seat): void {
    if (!seat.leave()) return
    this.#count--
    const { group: name } = seat.member
    const group = this.#groups.get(name)
    if (group && --group.count === 0) this.#groups.delete(name)
  }

  #giveUp(seat: Seat | undefined): boolean {
    if (!seat) return false
    this.remove(seat)
    seat.member.close()
    return true
  }

  /** Closes one that owes a body, of those longest under way. Who owes none counts as new, so that others are looked at next time. */
  #giveUpDebtor(): void {
    for (let looked = 0; looked < LOOKED_AT; looked++) {
      const seat = this.#busy.oldest
      if (seat?.member.owesBody) {
        this.#giveUp(seat)
        return
      }
      seat?.busy()
    }
  }
}

const isLoopback = (group: string) => group.startsWith('127.') || group === '0:0:0:0::/64'
