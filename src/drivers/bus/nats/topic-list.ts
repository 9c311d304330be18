import type { JetStreamManager } from '@nats-io/jetstream'
import type { Page, TopicInfo } from '../administration.ts'
import { pageOf } from '../embedded/page-of.ts'
import { toDriverError } from './faults.ts'
import type { Names } from './names.ts'
import { messageSubject, type Streams } from './streams.ts'

/** Topics asked for at a time. */
const AT_ONCE = 32

/** What topics are listed with. */
export interface TopicListOptions {
  readonly manager: JetStreamManager
  readonly streams: Streams
  readonly names: Names
}

/** Topics in the order that they came to be, and what of each is kept: two questions to the server for each. Rejects with DriverError. */
export async function listTopics(
  { manager, streams, names }: TopicListOptions,
  page: Partial<Page>,
): Promise<readonly TopicInfo[]> {
  await names.refresh()
  const wanted = pageOf(names.topics.keys(), (name) => name, page)
  const found: TopicInfo[] = []
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const part = wanted.slice(at, at + AT_ONCE)
    found.push(...(await Promise.all(part.map((topic) => describe(manager, streams, topic)))))
  }
  return found
}

async function describe(manager: JetStreamManager, streams: Streams, topic: string): Promise<TopicInfo> {
  const subject = messageSubject(streams, topic)
  try {
    const { state } = await manager.streams.info(streams.messages, { subjects_filter: subject })
    const messages = state.subjects?.[subject] ?? 0
    if (messages === 0) return { topic, messages, firstOffset: state.last_seq + 1, lastOffset: state.last_seq }
    const [first, last] = await Promise.all([
      manager.direct.getMessage(streams.messages, { seq: 1, next_by_subj: subject }),
      manager.streams.getMessage(streams.messages, { last_by_subj: subject }),
    ])
    return { topic, messages, firstOffset: first?.seq ?? 0, lastOffset: last?.seq ?? 0 }
  } catch (fault) {
    throw toDriverError(fault)
  }
}
