import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { Bells } from '../bells.ts'
import { endQuietly, type Session } from './sessions.ts'

/** Milliseconds before the first try to hear the others again after their server was away, doubled with each one more, and the longest. */
const DEAF_FIRST_MS = 20
const DEAF_MOST_MS = 1_000

/**
 * Bells that are heard by all who have a store open, by LISTEN and NOTIFY on a connection of their own. Never within the transaction that they ring for:
 * NOTIFY makes commits wait for each other, fsync and all. So one that dies between its commit and its ring rings for nobody, and who listens looks from
 * time to time. Rings that come while one is on its way go together.
 */
export class DistantBells {
  readonly #open: () => Promise<Session>
  readonly #channel: string
  readonly #here = new Bells()
  readonly #self = randomUUID()
  readonly #unsent = new Set<string>()
  readonly #closing = new AbortController()
  #line: pg.Client | undefined
  #listening: Promise<void> | undefined
  #sending = false

  /** @param store whose bells they are */
  constructor(store: string, open: () => Promise<Session>) {
    this.#open = open
    this.#channel = `msvc ${store}`.slice(0, 63)
  }

  /** Rings here at once, and elsewhere as soon as may be. */
  ring(bell: string): void {
    this.#here.ring(bell)
    this.#unsent.add(bell)
    this.#listening ??= this.#listen()
    void this.#send()
  }

  /** Calls back at each ring, until what is returned is called, and whenever one may have been missed. */
  onRing(bell: string, callback: () => void): () => void {
    this.#listening ??= this.#listen()
    return this.#here.onRing(bell, callback)
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#listening
  }

  async #listen(): Promise<void> {
    const { signal } = this.#closing
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const { client } = await this.#open()
        failures = 0
        await this.#hearOn(client)
      } catch {
        // whoever needs the server says so; here it is enough to come back
      }
      const waitMs = Math.random() * Math.min(DEAF_MOST_MS, DEAF_FIRST_MS * 2 ** failures)
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Resolves when the connection has ended. */
  async #hearOn(client: pg.Client): Promise<void> {
    const end = () => void endQuietly(client)
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
    const { signal } = this.#closing
    signal.addEventListener('abort', end, { once: true })
    try {
      client.on('notification', ({ payload = '' }) => this.#hear(payload))
      if (!signal.aborted) await client.query(`listen "${this.#channel}"`)
      else end()
      this.#line = client
      this.#here.ringAll()
      void this.#send()
      await ended
    } finally {
      this.#line = undefined
      signal.removeEventListener('abort', end)
      end()
    }
  }

  #hear(payload: string): void {
    const { bells, from } = JSON.parse(payload)
    if (from !== this.#self) for (const bell of bells) this.#here.ring(bell)
  }

  async #send(): Promise<void> {
    const line = this.#line
    if (this.#sending || !line || this.#unsent.size === 0) return
    this.#sending = true
    const bells = [...this.#unsent]
    this.#unsent.clear()
    try {
      const payload = JSON.stringify({ bells, from: this.#self })
      await line.query({ text: 'select pg_notify($1, $2)', values: [this.#channel, payload], name: 'msvc-ring' })
    } catch {
      // the next connection rings them
      for (const bell of bells) this.#unsent.add(bell)
      this.#line = undefined
      void endQuietly(line)
    }
    this.#sending = false
    void this.#send()
  }
}
