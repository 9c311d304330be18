import type { Page, TopicInfo } from '../administration.ts'
import { pageOf } from '../page-of.ts'
import type { JetStream } from './jetstream.ts'
import type { Names } from './names.ts'
import { messageSubject, type Streams } from './streams.ts'

/** Topics asked for at a time. */
const AT_ONCE = 32

/** What topics are listed with. */
export interface TopicListOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly names: Names
}

/** Topics in the order that they came to be, and what of each is kept: a few questions to the server for each. Rejects with DriverError. */
export async function listTopics(
  { jetStream, streams, names }: TopicListOptions,
  page: Partial<Page>,
): Promise<readonly TopicInfo[]> {
  await names.refresh()
  const wanted = pageOf(names.topics.keys(), (name) => name, page)
  const found: TopicInfo[] = []
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const part = wanted.slice(at, at + AT_ONCE)
    found.push(...(await Promise.all(part.map((topic) => describe(jetStream, streams, topic)))))
  }
  return found
}

async function describe(jetStream: JetStream, streams: Streams, topic: string): Promise<TopicInfo> {
  const subject = messageSubject(streams, topic)
  const messages = await jetStream.count(streams.messages, subject)
  const [first, last, stream] = await Promise.all([
    jetStream.firstOf(streams.messages, subject),
    jetStream.message(streams.messages, { lastOf: subject }),
    jetStream.state(streams.messages),
  ])
  return { topic, messages, firstOffset: first ?? stream.last + 1, lastOffset: last?.seq ?? stream.last }
}
