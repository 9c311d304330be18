import type { NatsLink } from './link.ts'
import type { Streams } from './streams.ts'

/** Topics with news beyond which everybody looks for himself. */
const MOST_NAMED = 64
/** Between two looks for what nobody told, in milliseconds. */
const LOOK_MS = 1_000

/** What happened. */
export interface Happened {
  /** Topics that have new messages: `all` for more than are worth naming, or fit into a message. */
  readonly topics?: readonly string[] | 'all'
  /** What there is by name changed. */
  readonly names?: boolean
  /** There are more messages that wait for their time. */
  readonly delayed?: boolean
}

/** What may have happened while nobody was heard. */
const EVERYTHING: Happened = { topics: 'all', names: true, delayed: true }

/** What news are told and looked for with. */
export interface NewsOptions {
  readonly link: NatsLink
  readonly streams: Streams
  /** Who tells; it doesn't hear itself. */
  readonly broker: string
  /** The sequence of the newest message that is stored. */
  readonly newest: () => Promise<number>
}

/**
 * Tells all brokers on a bus what was published, and hears what they tell. Nothing of it is stored: what gets lost, as a broker that is killed between
 * storing and telling, is found by looking once a second.
 */
export class News {
  readonly #options: NewsOptions
  readonly #listeners = new Set<(happened: Happened) => void>()
  readonly #topics = new Set<string>()
  #isTelling = false
  /** Up to where all were told. */
  #told = 0
  #untold = 0
  readonly #looking: NodeJS.Timeout
  readonly #stopListening: () => void

  constructor(options: NewsOptions) {
    this.#options = options
    const { link, broker } = options
    link.listen(this.#subject, (message) => {
      const { by, seq = 0, ...happened } = message.json<Happened & { by: string; seq?: number }>()
      if (by === broker) return
      this.#told = Math.max(this.#told, seq)
      this.#happened(happened)
    })
    this.#looking = setInterval(() => void this.#look(), LOOK_MS)
    this.#stopListening = link.on('up', () => this.#happened(EVERYTHING))
  }

  get #subject(): string {
    return `${this.#options.streams.prefix}.news`
  }

  /** Calls back with what happened at any broker; returns how to stop. */
  on(listener: (happened: Happened) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Messages of these topics are stored, up to a sequence. All of one turn of the loop are told together. */
  published(topics: Iterable<string>, seq: number): void {
    for (const topic of topics) this.#topics.add(topic)
    this.#told = Math.max(this.#told, seq)
    if (this.#isTelling) return
    this.#isTelling = true
    setImmediate(() => this.#tell())
  }

  /** What there is by name changed. */
  namesChanged(): void {
    this.#send({ names: true })
    this.#happened({ names: true })
  }

  /** Messages are stored that wait for their time, up to a sequence. */
  delayed(seq: number): void {
    this.#told = Math.max(this.#told, seq)
    this.#send({ delayed: true, seq })
    this.#happened({ delayed: true })
  }

  /** Neither tells nor hears any more. */
  close(): void {
    clearInterval(this.#looking)
    this.#stopListening()
    this.#listeners.clear()
  }

  #tell(): void {
    this.#isTelling = false
    const topics = this.#topics.size > MOST_NAMED ? 'all' : [...this.#topics]
    this.#topics.clear()
    this.#send({ topics, seq: this.#told })
    this.#happened({ topics })
  }

  #send(what: Happened & { readonly seq?: number }): void {
    const { link, broker } = this.#options
    // a connection that isn't there would keep it for later, when whoever comes back looks anyway
    if (!link.isUp) return
    const text = (happened: Happened) => Buffer.from(JSON.stringify({ by: broker, ...happened }))
    const told = text(what)
    link.connection.publish(this.#subject, told.length > link.room ? text({ ...what, topics: 'all' }) : told)
  }

  async #look(): Promise<void> {
    if (!this.#options.link.isUp || this.#listeners.size === 0) return
    const newest = await this.#options.newest().catch(() => 0)
    // what is stored by now and wasn't told a look ago, nobody tells any more
    if (this.#untold > this.#told) {
      this.#told = this.#untold
      this.#happened(EVERYTHING)
    }
    this.#untold = newest
  }

  #happened(happened: Happened): void {
    for (const listener of this.#listeners) listener(happened)
  }
}
