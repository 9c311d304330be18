import { AppError } from '../../errors.ts'
import type { BrokerClient, PulledMessage } from '../broker-client.ts'

/** A broker with one topic, in memory: leases, acks and nacks without time. What it was asked is kept for the test to look at. */
export class FakeBroker implements BrokerClient {
  readonly waiting: PulledMessage[] = []
  readonly leased = new Map<string, PulledMessage>()
  readonly acked: string[] = []
  readonly ackRequests: (readonly string[])[] = []
  readonly nacked: { readonly id: string; readonly reason: string; readonly later: boolean }[] = []
  readonly renewed: (readonly string[])[] = []
  subscribed = 0
  pulls = 0
  /** Set: the next calls fail with it. */
  failure: Error | undefined
  /** The subscription that is known; another one is NOT_FOUND. */
  known = 'subscription-1'
  #wake = () => {}
  #tokens = 0

  /** Publishes a message to its topic. */
  add(id: string, attributes: Record<string, string> = {}): void {
    const timestamp = new Date(0).toISOString()
    this.waiting.push({ id, topic: 'order.created', payload: { id }, timestamp, delivery: 1, ack: '', attributes })
    this.#wake()
  }

  /** Forgets the subscription, as after an unsubscribe. */
  forget(): void {
    this.known = `subscription-${this.subscribed + 1}`
    this.#wake()
  }

  async publish(): Promise<void> {
    this.#fail()
  }

  async subscribe(): Promise<string> {
    this.#fail()
    this.subscribed++
    return this.known
  }

  async pull(id: string, { max, signal }: { max: number; signal: AbortSignal }): Promise<readonly PulledMessage[]> {
    this.pulls++
    this.#fail()
    this.#know(id)
    if (this.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      if (signal.aborted) throw new AppError('UNREACHABLE', 'aborted')
      this.#know(id)
    }
    return this.waiting.splice(0, max).map((message) => {
      const delivery = { ...message, ack: `token-${++this.#tokens}` }
      this.leased.set(delivery.ack, delivery)
      return delivery
    })
  }

  async ack(id: string, tokens: readonly string[]): Promise<void> {
    this.#fail()
    this.#know(id)
    this.ackRequests.push(tokens)
    for (const token of tokens) this.acked.push(this.#settle(token).id)
  }

  async renew(id: string, tokens: readonly string[]): Promise<void> {
    this.#fail()
    this.#know(id)
    this.renewed.push(tokens)
  }

  async nack(
    id: string,
    tokens: readonly string[],
    { reason, later }: { reason: string; later: boolean },
  ): Promise<void> {
    this.#fail()
    this.#know(id)
    for (const token of tokens) {
      const message = this.#settle(token)
      this.nacked.push({ id: message.id, reason, later })
      this.waiting.push({ ...message, delivery: message.delivery + 1 })
    }
    this.#wake()
  }

  #settle(token: string): PulledMessage {
    const message = this.leased.get(token)
    if (!message) throw new AppError('CONFLICT', 'No lease holds any more')
    this.leased.delete(token)
    return message
  }

  #fail(): void {
    if (this.failure) throw this.failure
  }

  #know(id: string): void {
    if (id !== this.known) throw new AppError('NOT_FOUND', 'Subscription not found')
  }
}
