import type { Context, Hono } from 'hono'
import * as z from 'zod'
import { MOST_ATOMIC, type Receipt } from '../../drivers/bus/publisher.ts'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { MAX_BATCH_BYTES } from '../../kit/http/batch.ts'
import { readBody } from '../../kit/http/body.ts'
import { route } from '../../kit/http/route.ts'
import { Accepted, accepted, BatchQuery } from '../../kit/http/sifting.ts'
import { Receipt as ReceiptSchema } from './contract.ts'
import { asWished, DeliveryQuery } from './delivery-wish.ts'
import { eventId } from './event-identity.ts'
import { JSON_HEADERS } from './message-json.ts'
import type { Ownership } from './ownership.ts'
import { leaveOutLarge, PLAIN_LINE, readBatch, readMessage } from './publish-request.ts'
import type { Publisher } from './publisher.ts'

const DIFFERS = 'An earlier message has this id and says something else'
const REFUSED = 'A topic of it belongs to others: nothing was published'

/** What the routes work with. */
export interface PublishRoutesOptions {
  readonly publisher: Publisher
  readonly clock: Pick<Clock, 'now'>
  readonly ownership: Pick<Ownership, 'checkPublish' | 'owner'>
}

/** What every CloudEvent has (CloudEvents 1.0, JSON format), for /openapi.json. */
const CloudEvent = z.looseObject({
  specversion: z.string(),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  data: z.unknown().optional(),
})

/** The routes by which messages come in. */
export function publishRoutes(app: Hono<AppEnv>, { publisher, clock, ownership }: PublishRoutesOptions): void {
  const now = () => clock.now()
  app.post(
    // everything: a name with a slash or a line break in it is a wrong name, not an unknown route
    '/broker/publish/:topic{[\\s\\S]+}',
    route({
      summary: 'Publish a message: any JSON, or a CloudEvent, in binary mode with data of any media type',
      scope: 'messages:publish',
      query: DeliveryQuery,
      invalid: 'Invalid publication',
      takes: { 'application/json': z.unknown(), 'application/cloudevents+json': CloudEvent },
      responses: { 202: ReceiptSchema, 403: REFUSED, 409: DIFFERS, 415: 'Events in another format' },
    }),
    async (c) => {
      const owner = ownership.owner()
      const read = readMessage(c.req.param('topic'), headersOf(c), await readBody(c), owner)
      const message = asWished(read, c.req.valid('query'), now)
      const [receipt] = await publisher.publish(ownership.checkPublish([message]), owner)
      if (receipt?.differs) {
        throw new AppError('CONFLICT', DIFFERS, {
          detail: `The message ${whereIs(receipt)} has this id and says something else; publish this one under an id of its own`,
        })
      }
      return c.body(receiptJson(receipt, eventId(message)), 202, JSON_HEADERS)
    },
  )
  app.post(
    '/broker/publish',
    route({
      summary: 'Publish many messages: NDJSON, or a batch of CloudEvents; those that are faulty are left out and named',
      scope: 'messages:publish',
      query: BatchQuery,
      takes: {
        'application/x-ndjson': PLAIN_LINE,
        'application/cloudevents-batch+json': z.array(CloudEvent),
      },
      responses: { 202: Accepted, 403: REFUSED, 409: `${DIFFERS}, in a batch that is taken as one` },
    }),
    async (c) => {
      const owner = ownership.owner()
      const { atomic } = c.req.valid('query')
      const body = await readBody(c, MAX_BATCH_BYTES)
      const { items, indexes, rejected } = await readBatch(headersOf(c), body, { owner, atomic, now })
      if (atomic && items.length > MOST_ATOMIC) {
        const detail = `It has ${items.length}: publish it in parts, or not as one`
        throw new AppError('INVALID_REQUEST', `At most ${MOST_ATOMIC} messages are published all or none`, { detail })
      }
      const fitting = leaveOutLarge({ items: ownership.checkPublish(items), indexes, rejected }, { publisher, atomic })
      const receipts = await publisher.publish(fitting.items, owner, { atomic })
      const taken = receipts.flatMap(({ differs }, at) =>
        differs ? [{ index: fitting.indexes[at] ?? at, code: 'CONFLICT', detail: DIFFERS }] : [],
      )
      return c.json(accepted(fitting.items.length - taken.length, [...fitting.rejected, ...taken]), 202)
    },
  )
}

/** The request's headers without making a web Headers of them, which costs more than reading the message. */
function headersOf(c: Context<AppEnv>) {
  return c.env?.exchange?.incoming.headers ?? c.req.header()
}

function receiptJson(receipt: Receipt | undefined, id: string): string {
  const { topic, offset, deliverAt = 0, duplicate } = receipt ?? { topic: '', offset: 0, duplicate: false }
  const place = offset === undefined ? `"deliver_at":"${new Date(deliverAt).toISOString()}"` : `"offset":${offset}`
  return `{"id":${JSON.stringify(id)},"topic":${JSON.stringify(topic)},${place}${duplicate ? ',"duplicate":true' : ''}}`
}

function whereIs({ topic, offset }: Receipt): string {
  return offset === undefined ? `that waits for its time on ${topic}` : `at offset ${offset} of ${topic}`
}
