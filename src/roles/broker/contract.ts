import * as z from 'zod'

/** What is told of a message on disk. */
export const Receipt = z.object({
  id: z.string(),
  topic: z.string(),
  /** Grows from message to message of its topic, from 1 on; there may be gaps. Absent while the message waits for its time. */
  offset: z.int().optional(),
  /** When a message that waits takes its place in the topic. */
  deliver_at: z.iso.datetime().optional(),
  /** Present when a message with this id was there already; what else is told is that one's. */
  duplicate: z.literal(true).optional(),
})

const SECONDS = z.number().max(43_200)

/** The place behind a message in the order of all: a stream's event has it as its id. Opaque. */
export const Cursor = z.string().regex(/^c[\w-]{1,100}$/, {
  error: 'not a cursor, which a stream gives as its events’ ids',
  abort: true,
})

/** What a reader may say of where it begins, for one who said another thing. */
export const SOME_PLACE = 'new, first, a cursor (the id of a stream’s event), or an offset from 1 on'

/** A consumer's name, of its own within a subscription: when its connection is gone and it isn't heard of, what it has on lease goes to others. */
export const Consumer = z.string().min(1).max(255)

/** A subscription to make. */
export const NewSubscription = z.strictObject({
  /** A topic or a pattern: `*` one word, `>` the rest. */
  topic: z.string(),
  /** Subscribers naming the same topic and group share the messages. */
  group: z
    .string()
    .max(255)
    .regex(/^[\p{L}\p{M}\p{N}_.:-]+$/u, 'letters, digits, ".", "_", "-" and ":" only')
    .optional(),
  /** Where each message is posted as a CloudEvent; absent for pull. */
  push: z.strictObject({ url: z.string().max(2_048) }).optional(),
  /** Deliveries in vain before a message becomes a dead letter: refused, or with a lease that ended without a word. Default 5. */
  max_deliver: z.int().min(1).max(1_000).optional(),
  /** Seconds a consumer has to acknowledge a message before it goes to the next. Default 30. */
  ack_wait: SECONDS.min(0.1).optional(),
  /** Seconds that a message is put off for, by consumers that can't take it at the moment, before it becomes a dead letter. Default a day. */
  give_up_after: z.number().min(1).max(31_536_000).optional(),
  /** Who subscribes, having just begun: what one of its name had on lease is to be handed out at once. */
  consumer: Consumer.optional(),
  /**
   * Seconds without a pull, a stream or a settlement after which it is removed with all that it holds. Default: a day without a group, else
   * never. Not for push.
   */
  expires_after: z.number().min(1).max(31_536_000).optional(),
  /** `new` (default): what comes from now on; `first`: all that is kept; a cursor: what comes behind it; a number: from that offset of the topic on. */
  from: z.union([z.enum(['new', 'first']), z.int().min(1, { abort: true }), Cursor], SOME_PLACE).optional(),
})

/** Path of one subscription: `/broker/subscriptions/:id`. */
export const SubscriptionPath = z.object({ id: z.string().min(1).max(255) })

/** A subscription as it stands. */
export const SubscriptionState = z.object({
  id: z.string(),
  topic: z.string(),
  group: z.string().optional(),
  /** The service whose it is, or `user:` and a name; absent where it is anybody's. */
  owner: z.string().optional(),
  /** Where it is looked at, the URL is without what shows that it is secret, and for others than the owner without its query. */
  push: z.object({ url: z.string() }).optional(),
  max_deliver: z.int(),
  ack_wait: z.number(),
  give_up_after: z.number(),
  expires_after: z.number().optional(),
  /** Messages neither acknowledged nor dead; where a pattern has news on many topics, no fewer than that. */
  pending: z.int(),
  /** Of these, with a consumer now. */
  leased: z.int(),
})

/** A message as subscribers and streams get it. */
export const Message = z.object({
  id: z.string(),
  topic: z.string(),
  /** JSON, or the text of another media type as a string. Absent where an event has no data, or bytes. */
  payload: z.unknown().optional(),
  /** An event's data that are bytes. */
  payload_base64: z.base64().optional(),
  timestamp: z.iso.datetime(),
  offset: z.int(),
  attributes: z.record(z.string(), z.string()),
  /** Where a stream that only looks on goes on behind it. */
  cursor: Cursor.optional(),
})

/** A message on lease: `ack` names this delivery in `…/ack` and `…/nack`. */
export const Delivery = Message.extend({ delivery: z.int(), ack: z.string() })

const TOKENS = z.array(z.string().min(1).max(255)).min(1).max(10_000)

/** Deliveries that are done. */
export const Acknowledgement = z.strictObject({ acks: TOKENS })

/** Deliveries whose leases begin anew. */
export const Renewal = z.strictObject({ acks: TOKENS, consumer: Consumer.optional() })

/** Deliveries to come again. */
export const Return = z.strictObject({
  acks: TOKENS,
  /** It isn't the message's fault: the consumer couldn't take it at the moment. That doesn't count against `max_deliver`. */
  later: z.boolean().optional(),
  /** Seconds before they do. Default: exponential from 0.1, with jitter; with `later` no less than a tenth of what it was put off for so far, up to 30. */
  delay: SECONDS.min(0).optional(),
  /** Why; a dead letter tells the last one. */
  reason: z.string().max(500).optional(),
})

/** A topic and what it holds. */
export const TopicState = z.object({
  topic: z.string(),
  messages: z.int(),
  first_offset: z.int(),
  last_offset: z.int(),
})

/** A message that failed too often. */
export const DeadLetter = Message.extend({ subscription: z.string(), deliveries: z.int(), reason: z.string() })

/** Where the next page of a list begins; null at the end. */
const Next = z.string().nullable()

/** Dead letters, page by page. */
export const DeadLetterPage = z.object({ dead_letters: z.array(DeadLetter), next: Next })

/** A message that waits for its time. */
export const DelayedMessage = Message.omit({ timestamp: true, offset: true, cursor: true }).extend({
  /** When it takes its place in the topic. */
  deliver_at: z.iso.datetime(),
})

/** Messages that wait, page by page. */
export const DelayedPage = z.object({ delayed: z.array(DelayedMessage), next: Next })

/** Which dead letters to give another chance; all of them when empty. */
export const Redrive = z.strictObject({
  subscription: z.string().optional(),
  ids: z.array(z.string().min(1)).min(1).max(10_000).optional(),
})

/** Which dead letters to throw away: never all of them by saying nothing. */
export const Discard = Redrive.refine(({ subscription, ids }) => subscription !== undefined || ids !== undefined, {
  error: 'name a subscription, or the ids of messages',
})
