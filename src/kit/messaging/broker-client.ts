import * as z from 'zod'
import { readProblem } from '../client/answer.ts'
import type { ServiceClient } from '../client/service-client.ts'
import { AppError, isErrorCode } from '../errors.ts'

const SUBSCRIBED = z.object({ id: z.string() })

const PULLED = z.object({
  messages: z.array(
    z.object({
      id: z.string(),
      topic: z.string(),
      payload: z.unknown().optional(),
      timestamp: z.string(),
      delivery: z.number(),
      ack: z.string(),
      attributes: z.record(z.string(), z.string()),
    }),
  ),
})

/** A message on lease, as the broker hands it out. */
export type PulledMessage = z.infer<typeof PULLED>['messages'][number]

/** Milliseconds until a publication counts as failed. */
const PUBLISH_MS = 10_000
/** Milliseconds beyond a long poll's own wait before the call counts as failed. */
const POLL_GRACE_MS = 3_000

/** The broker's HTTP API (design §5) as the kit uses it. All reject with AppError; `NOT_FOUND`: the subscription is gone. */
export interface BrokerClient {
  /** Publishes events, one JSON text each; resolves once all are on the broker's disk. */
  publish(events: readonly string[]): Promise<void>
  /** Makes a subscription or finds the one that topic and group have; gives its id. What a consumer of this name had before goes to others. */
  subscribe(spec: { topic: string; group: string; ackWaitMs: number; consumer: string }): Promise<string>
  /** Leases up to `max` messages, waiting up to `waitSeconds` for the first. */
  pull(id: string, options: PullOptions): Promise<readonly PulledMessage[]>
  /** Ends deliveries for good. */
  ack(id: string, tokens: readonly string[]): Promise<void>
  /** Begins the leases of deliveries anew. */
  renew(id: string, tokens: readonly string[], options: { consumer: string }): Promise<void>
  /** Gives messages back, to come again after the broker's exponential back-off. `later`: it was no fault of theirs. */
  nack(id: string, tokens: readonly string[], options: { reason: string; later: boolean }): Promise<void>
}

/** How to pull. */
interface PullOptions {
  readonly max: number
  readonly waitSeconds: number
  /** Who pulls, by a name that no other living process has: what it holds goes to others when it is gone. */
  readonly consumer: string
  readonly signal: AbortSignal
}

/** Makes the kit's client of the broker on the service client of `broker`. */
export function createBrokerClient(client: ServiceClient): BrokerClient {
  const path = (id: string, verb: string) => `/broker/subscriptions/${encodeURIComponent(id)}/${verb}`
  return {
    async publish(events) {
      const response = await client.raw('/broker/publish?atomic=true', {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: events.join('\n'),
        // for the answer's body too: a connection that dies there says nothing, ever
        signal: AbortSignal.timeout(PUBLISH_MS),
      })
      const answer = await response.text()
      if (!response.ok) throw refusal(response.status, answer)
    },
    async subscribe({ topic, group, ackWaitMs, consumer }) {
      // `first`: a service that joins late also gets what was published before it ever subscribed
      const body = { topic, group, ack_wait: ackWaitMs / 1000, consumer, from: 'first' }
      return SUBSCRIBED.parse(await client.post('/broker/subscriptions', body)).id
    },
    async pull(id, { max, waitSeconds, consumer, signal }) {
      const timeoutMs = waitSeconds * 1000 + POLL_GRACE_MS
      const query = { max, wait: waitSeconds, consumer }
      return PULLED.parse(await client.post(path(id, 'pull'), undefined, { query, signal, timeoutMs })).messages
    },
    async ack(id, acks) {
      await client.post(path(id, 'ack'), { acks })
    },
    async renew(id, acks, { consumer }) {
      await client.post(path(id, 'renew'), { acks, consumer })
    },
    async nack(id, acks, { reason, later }) {
      await client.post(path(id, 'nack'), { acks, reason, ...(later && { later }) })
    },
  }
}

/** The broker's own reason, its code kept: a full disk is told as one. */
function refusal(status: number, answer: string): AppError {
  const { code, detail } = readProblem(answer)
  if (code === undefined || !isErrorCode(code)) return new AppError('UPSTREAM_FAILED', `The broker answered ${status}`)
  return new AppError(code, `The broker refused: ${detail ?? status}`)
}
