import type { DeadLetters } from './dead-letters.ts'
import type { JetStream } from './jetstream.ts'
import { leaseSubject } from './journal.ts'
import type { Names } from './names.ts'
import type { Streams } from './streams.ts'

/** How long it is told that a subscription is gone, in milliseconds: no broker is without a connection for longer and goes on as before. */
const GONE_FOR_MS = 86_400_000

/** What leftovers are cleared away with. */
export interface LeftoversOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly names: Pick<Names, 'gone'>
  readonly deadLetters: Pick<DeadLetters, 'forget'>
}

/** What is left of subscriptions that are gone. Rejects with DriverError. */
export class Leftovers {
  readonly #options: LeftoversOptions

  constructor(options: LeftoversOptions) {
    this.#options = options
  }

  /** Takes away what a subscription had that was just removed. */
  async ofOne(id: string): Promise<void> {
    const { jetStream, streams, deadLetters } = this.#options
    await jetStream.purge(streams.leases, leaseSubject(streams, id))
    await deadLetters.forget(id)
  }

  /** A broker that was killed while it removed a subscription may have left something of it. @param now milliseconds since 1970 */
  async ofAll(now: number): Promise<void> {
    const { jetStream, streams, names } = this.#options
    for (const { id, seq } of names.gone(now - GONE_FOR_MS)) {
      await this.ofOne(id)
      await jetStream.remove(streams.names, seq)
    }
  }
}
