import type { Cache } from '../../drivers/cache/contract.ts'
import type { Row } from '../../drivers/cache/table.ts'
import type { Clock } from '../../drivers/clock.ts'
import { LeaderElection } from '../../kit/leadership.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { Entry, Instances, Mark } from './instances.ts'
import { Replica } from './replica.ts'
import {
  checkRow,
  type Departure,
  goneRow,
  heardRow,
  instanceKey,
  markRow,
  noCheckRow,
  noMarkRow,
  readRow,
  registeredRow,
  type SharedNews,
} from './shared-rows.ts'

/** What a registry's peers are reached by, and what they are told of. */
export interface PeersOptions {
  readonly cache: Pick<Cache, 'table' | 'acquire' | 'renew' | 'release'>
  /** This registry's own name. */
  readonly holder: string
  readonly instances: Instances
  readonly clock: Clock
  readonly log: Log
  /** An instance is known anew, or is known to be otherwise than before. */
  readonly onKnown: (entry: Entry) => void
  /** An instance is gone. */
  readonly onGone: (entry: Entry) => void
  /** A health check said something. */
  readonly onChecked: (id: string) => void
  /** Whether this registry is the one that does the health checks. */
  readonly onChecking: (isMine: boolean) => void
}

/**
 * The other registries of the platform, reached over a table that all of them share. What one hears of an instance counts for all: registrations,
 * heartbeats, marks, departures; and what its health check says, which one of them asks, chosen by a lease. What comes with an older fence counts for
 * nothing. While the table is away each goes by what it hears itself, checks all health by itself, and tells the others when it is back.
 */
export class Peers {
  readonly #options: PeersOptions
  readonly #replica: Replica
  readonly #election: LeaderElection

  constructor(options: PeersOptions) {
    const { cache, holder, clock, log } = options
    this.#options = options
    this.#replica = new Replica({
      table: cache.table('instances'),
      clock,
      log,
      take: (rows, look) => this.#take(rows, look),
      missing: (key) => this.#tellAgain(key),
    })
    this.#election = new LeaderElection({
      cache,
      name: 'health-checks',
      holder,
      clock,
      onChange: ({ at }) => options.onChecking(at !== 'following'),
    })
  }

  /** Whether all that the others hear is known here, so that silence means something. */
  get isInStep(): boolean {
    return this.#replica.isInStep
  }

  /** Takes in what the others know, and begins to tell them; resolves when that is done, or can't be. */
  async open(): Promise<void> {
    await this.#replica.open()
    await this.#election.open()
  }

  /** Tells what is still to be told, and leaves. */
  async close(): Promise<void> {
    await this.#election.close()
    await this.#replica.close()
  }

  /** Looks at once for what another registry was told a moment ago. */
  refresh(): Promise<void> {
    return this.#replica.refresh()
  }

  /** Tells of a registration, and gives the fence that it has among all registries. */
  async registered(entry: Entry): Promise<number> {
    const written = await this.#replica.writeNow(registeredRow(entry))
    const fence = Math.max(written?.fence ?? 0, entry.fence)
    if (written?.fence !== fence) this.#replica.queue(registeredRow(entry, fence))
    return fence
  }

  /** Tells of a heartbeat. @param before as it was known until now */
  heard(entry: Entry, before: Entry): void {
    this.#replica.queue(before.lease.at === 'expired' ? registeredRow(entry, entry.fence) : heardRow(entry))
    if (before.mark !== entry.mark) this.#replica.queue(markRow(entry))
  }

  /** Tells of a mark. */
  async marked(entry: Entry): Promise<void> {
    if (!(await this.#replica.writeNow(markRow(entry)))) this.#replica.queue(markRow(entry))
  }

  /** Tells that an instance is gone. */
  async gone(entry: Entry, why: Departure): Promise<void> {
    this.#forgetParts(entry)
    if (!(await this.#replica.writeNow(goneRow(entry, why)))) this.#replica.queue(goneRow(entry, why))
  }

  /** Tells what the health check of an instance says, if it is this registry's to ask. */
  checked(entry: Entry): void {
    const leader = this.#election.now
    if (leader.at === 'leading') this.#replica.queue(checkRow(entry, leader.lease.fence))
  }

  /** Takes an instance in, in place of the one that was at its address; false when it is not the latest there. */
  adopt(entry: Entry): boolean {
    const { instances, onGone } = this.#options
    const rival = instances.find({ ...entry.instance, id: undefined })
    const isTaken = instances.adopt(entry)
    if (!rival || rival.instance.id === entry.instance.id) return isTaken
    const over = isTaken ? rival : entry
    this.#replica.queue(goneRow(over, 'replaced'))
    this.#forgetParts(over)
    if (isTaken) onGone(rival)
    return isTaken
  }

  #take(rows: readonly Row[], { afresh, first }: { readonly afresh: boolean; readonly first: boolean }): void {
    const news = rows.map(readRow).filter((one) => one !== undefined)
    // of what is told all at once an instance comes before what is said of it
    const inOrder = afresh ? news.toSorted((a, b) => Number(isAbout(a)) - Number(isAbout(b))) : news
    for (const one of inOrder) this.#takeOne(one, first)
    // one that is empty at the first look was lost: what was kept here is all there is
    if (afresh) this.#settleDifferences(news, first && rows.length > 0)
  }

  #takeOne(news: SharedNews, first: boolean): void {
    const { instances, onKnown, onChecked } = this.#options
    const known = instances.find({ id: news.id })
    if (news.is === 'checked') {
      instances.checked(news.id, news.url, news.check)
      onChecked(news.id)
      if (!known) this.#forgetCheck(news.id)
    } else if (known && known.fence > news.fence) {
      return
    } else if (news.is === 'registered') {
      const entry = instances.told(news, first ? 'before' : 'now')
      if (this.adopt(entry)) onKnown(entry)
    } else if (known && news.is === 'gone') {
      this.#takeGone(known, news.why)
    } else if (known?.fence === news.fence) {
      if (news.is === 'heard') instances.heartbeat({ id: news.id })
      else if (news.is === 'marked') instances.mark({ id: news.id }, news.mark)
    }
  }

  #takeGone(known: Entry, why: Departure): void {
    const { instances, onGone } = this.#options
    const { id } = known.instance
    // who fell silent is shown for a while
    if (why === 'no heartbeat') instances.expire(id)
    else instances.remove({ id }, why)
    this.#forgetCheck(id)
    onGone(known)
  }

  /**
   * After all was told anew: what is known here alone. What was kept from before, at the first look, is gone; who was heard since is told of again, as
   * the table was lost, or away. So is a mark that the table doesn't show: whoever was told of it may have ended before it could be passed on.
   */
  #settleDifferences(news: readonly SharedNews[], first: boolean): void {
    const { instances } = this.#options
    const there = new Set(news.map((one) => (one.is === 'registered' ? one.id : '')))
    const marks = new Set(news.map((one) => (one.is === 'marked' ? nameOfMark(one.mark, one.id, one.fence) : '')))
    for (const entry of [...instances.byService().values()].flat()) {
      const { id } = entry.instance
      if (there.has(id)) {
        if (entry.mark !== 'none' && !marks.has(nameOfMark(entry.mark, id, entry.fence)))
          this.#replica.queue(markRow(entry))
      } else if (entry.lease.at !== 'restored') this.#tellAgain(instanceKey(id))
      else if (first) this.#takeGone(entry, 'deregistered')
    }
  }

  /** The table does not have what is known here. */
  #tellAgain(key: string): void {
    const { instances } = this.#options
    const entry = instances.find({ id: key.slice(instanceKey('').length) })
    if (!entry || instanceKey(entry.instance.id) !== key || entry.lease.at === 'expired') return
    this.#replica.queue(registeredRow(entry, entry.fence))
    if (entry.mark !== 'none') this.#replica.queue(markRow(entry))
    this.checked(entry)
  }

  #forgetParts(entry: Entry): void {
    if (entry.mark !== 'none') this.#replica.queue(noMarkRow(entry))
    if (entry.healthCheckUrl !== undefined) this.#forgetCheck(entry.instance.id)
  }

  #forgetCheck(id: string): void {
    const leader = this.#election.now
    if (leader.at === 'leading') this.#replica.queue(noCheckRow(id, leader.lease.fence))
  }
}

function nameOfMark(mark: Mark, id: string, fence: number): string {
  return `${mark} ${fence} ${id}`
}

function isAbout({ is }: SharedNews): boolean {
  return is === 'marked' || is === 'checked'
}
