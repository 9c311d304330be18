import { GatheredNews, type Happened } from './gathered-news.ts'
import { asSteps, fromSteps } from './journal-entry.ts'
import type { NatsLink } from './link.ts'
import type { Streams } from './streams.ts'
import { ToldSequences } from './told-sequences.ts'

/** Topics with news beyond which everybody looks for himself. */
const MOST_NAMED = 64
/** The same of what is told once more, which travels nowhere. */
const MOST_NAMED_AGAIN = 1_000
/** Sequences in one message: some 100 KB. Others find for themselves what isn't in it. */
const MOST_SEQUENCES = 10_000
/** Between two looks for what nobody told, in milliseconds. */
const LOOK_MS = 1_000

/** What may have happened while nobody was heard. */
const EVERYTHING: Happened = { topics: 'all', names: true, delayed: true }

/** The sequences of the newest message and the newest change of a name that are stored. */
export interface Newest {
  readonly messages: number
  readonly names: number
}

/** What news are told and looked for with. */
export interface NewsOptions {
  readonly link: Pick<NatsLink, 'listen' | 'on' | 'isUp' | 'connection' | 'room'>
  readonly streams: Pick<Streams, 'prefix'>
  /** Who tells; it doesn't hear itself. */
  readonly broker: string
  readonly newest: () => Promise<Newest>
}

/** What one broker tells all. */
interface Told extends Happened {
  readonly by: string
  /** Sequences of the messages that are stored, each as a step from the one before. */
  readonly seqs?: readonly number[]
}

/**
 * Tells all brokers on a bus what was published, and hears what they tell. Nothing of it is stored, and a broker may die, or be cut off, between storing and
 * telling: once a second each broker looks for what was stored and not told. One look asks the server for the last sequences of two streams, whatever number of
 * subscriptions wait: only where a sequence below them was told by nobody does everybody read.
 */
export class News {
  readonly #options: NewsOptions
  readonly #listeners = new Set<(happened: Happened) => void>()
  readonly #toTell = new GatheredNews(MOST_NAMED)
  #seqs: number[] = []
  #isTelling = false
  readonly #told = new ToldSequences()
  /** The last change of names that was looked at. */
  #names = 0
  /** What there was a look ago. */
  #newest: Newest = { messages: 0, names: 0 }
  #isLooking = false
  /** What is told once more at the next look but one, and at the next one. */
  #later = new GatheredNews(MOST_NAMED_AGAIN)
  #next = new GatheredNews(MOST_NAMED_AGAIN)
  readonly #looking: NodeJS.Timeout
  readonly #stopListening: () => void

  constructor(options: NewsOptions) {
    this.#options = options
    const { link, broker } = options
    link.listen(this.#subject, (message) => {
      const { by, seqs = [], ...happened } = message.json<Told>()
      if (by === broker) return
      this.#told.add(fromSteps(seqs))
      this.#happened(happened)
    })
    this.#looking = setInterval(() => void this.#look(), LOOK_MS)
    this.#stopListening = link.on('up', () => this.#happened(EVERYTHING))
  }

  get #subject(): string {
    return `${this.#options.streams.prefix}.news`
  }

  /** Calls back with what happened at any broker, often more than once; returns how to stop. */
  on(listener: (happened: Happened) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Messages are stored, of topics or to wait for their time. All of one turn of the loop are told together.
   * @param seqs their sequences, but not those of copies: whoever stored the first ones may have told of another kind
   */
  published(what: Pick<Happened, 'delayed'> & { readonly topics: readonly string[] }, seqs: readonly number[]): void {
    this.#toTell.add(what)
    this.#told.add(seqs)
    for (const seq of seqs) this.#seqs.push(seq)
    if (this.#isTelling) return
    this.#isTelling = true
    setImmediate(() => this.#tell())
  }

  /** What there is by name changed. */
  namesChanged(): void {
    this.#send({ names: true })
    this.#happened({ names: true })
  }

  /** A listener could not attend to this: it is told once more, a second or two later. */
  again(happened: Happened): void {
    this.#later.add(happened)
  }

  /** Neither tells nor hears any more. */
  close(): void {
    clearInterval(this.#looking)
    this.#stopListening()
    this.#listeners.clear()
  }

  #tell(): void {
    this.#isTelling = false
    const happened = this.#toTell.take()
    const seqs = this.#seqs.sort((one, other) => one - other).slice(0, MOST_SEQUENCES)
    this.#seqs = []
    if (happened === undefined) return
    this.#send({ ...happened, seqs: asSteps(seqs) })
    this.#happened(happened)
  }

  #send(what: Omit<Told, 'by'>): void {
    const { link, broker } = this.#options
    // a connection that isn't there would keep it for later, when whoever comes back looks anyway
    if (!link.isUp) return
    const text = (happened: Happened) => Buffer.from(JSON.stringify({ by: broker, ...happened }))
    const told = text(what)
    link.connection.publish(this.#subject, told.length > link.room ? text({ ...what, topics: 'all' }) : told)
  }

  async #look(): Promise<void> {
    const { link } = this.#options
    if (!link.isUp || this.#listeners.size === 0 || this.#isLooking) return
    this.#isLooking = true
    this.#tellAgain()
    const newest = await this.#options.newest().catch(() => undefined)
    this.#isLooking = false
    if (newest === undefined) return
    const before = this.#newest
    this.#newest = newest
    // what was stored a look ago and isn't told by now, nobody tells any more
    if (before.messages > this.#told.upTo) {
      this.#told.fill(before.messages)
      this.#happened(EVERYTHING)
    }
    if (before.names > this.#names) {
      this.#names = before.names
      this.#callBack({ names: true })
    }
  }

  /** Whoever reads at once may read from a copy, or by a consumer, that doesn't know yet of what the server acknowledged. */
  #tellAgain(): void {
    const again = this.#next.take()
    ;[this.#next, this.#later] = [this.#later, this.#next]
    if (again !== undefined) this.#callBack(again)
  }

  #happened(happened: Happened): void {
    this.#later.add(happened)
    this.#callBack(happened)
  }

  #callBack(happened: Happened): void {
    for (const listener of this.#listeners) listener(happened)
  }
}
