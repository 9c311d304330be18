import * as z from 'zod'
import { isTopicPattern } from '../../kit/topic-name.ts'
import { ORDER_CANCELLED, ORDER_CREATED, ORDER_REFUNDING, ORDER_SERVICE } from '../order/contract.ts'
import { PAYMENT_PROCESSED, PAYMENT_REFUNDED, PAYMENT_SERVICE } from '../payment/contract.ts'
import { ServiceName } from '../registry/contract.ts'

const Topic = z.strictObject({
  /** The services that may publish to it, in token mode. */
  publish: z.array(ServiceName).min(1),
})

/** Topics and patterns, and whose they are; null takes one of the built-in ones out. */
const Topics = z.record(
  z.string().refine(isTopicPattern, 'a topic, or a pattern: * one word, > at the end the rest'),
  Topic.nullable(),
)
type Topics = z.output<typeof Topics>

/** The platform's own topics. A configured map adds to them. */
export const PLATFORM_TOPICS: Topics = {
  [ORDER_CREATED]: { publish: [ORDER_SERVICE] },
  [ORDER_CANCELLED]: { publish: [ORDER_SERVICE] },
  [ORDER_REFUNDING]: { publish: [ORDER_SERVICE] },
  [PAYMENT_PROCESSED]: { publish: [PAYMENT_SERVICE] },
  [PAYMENT_REFUNDED]: { publish: [PAYMENT_SERVICE] },
}

/** The broker's own section. */
export const BrokerConfig = z.strictObject({
  topics: Topics.default(PLATFORM_TOPICS),
  max_topics: z.int().min(1).max(1_000_000).default(10_000).describe('besides those that have an owner'),
  max_subscriptions: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe("besides those of the owners' groups to these topics"),
  max_delayed: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(100_000)
    .describe('messages that wait for their time; on NATS each broker keeps some 350 bytes of every one in memory'),
  owner_share: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('of topics and subscriptions, how many one owner may have, in token mode'),
})
/** The broker's own section, its defaults filled in. */
export type BrokerConfig = z.output<typeof BrokerConfig>
