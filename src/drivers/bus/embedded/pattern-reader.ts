import { Slice } from '../../slice.ts'
import type { TopicPattern } from '../topic-pattern.ts'
import type { Found, MessageLog, Topic } from './message-log.ts'
import type { MessageRow, ReadLimits } from './message-rows.ts'

/** Topics with news that are asked one by one where the next message is, or how many there are: some 1 ms of work. */
const MOST_ASKED = 64
/** A reader who is no further behind is read for at once. */
const MOST_LIVE = 64

/**
 * Reads the topics that fit a pattern, in the order their messages were stored. It keeps nothing by topic, so that ten thousand topics cost
 * a pattern no more than one: what doesn't fit is passed over, a bounded piece at a time, and leapt over where the next one can be asked for.
 */
export class PatternReader {
  readonly #log: MessageLog
  readonly #pattern: TopicPattern
  readonly #from: (topic: Topic) => number

  /** @param from the first offset wanted of a topic. */
  constructor(log: MessageLog, pattern: TopicPattern, from: (topic: Topic) => number) {
    this.#log = log
    this.#pattern = pattern
    this.#from = from
  }

  /** The next messages behind a position, but for those that aren't wanted. None is the end only at the log's own end. */
  take(position: number, limits: ReadLimits, wanted?: (row: MessageRow) => boolean): Found {
    let last: Topic | undefined
    let fits = false
    const wants = (topic: Topic, offset: number) => {
      if (topic !== last) fits = this.#pattern.matches(topic.name)
      last = topic
      return fits && offset >= this.#start(topic)
    }
    const found = this.#log.readBehind(position, wants, limits, wanted)
    if (found.rows.length > 0 || limits.messages <= 0 || found.position >= this.#log.end) return found
    return { rows: [], position: this.#leap(found.position) }
  }

  /** How many messages there are behind a position; one for each topic that is not asked any more. */
  count(position: number): number {
    let count = 0
    let asked = 0
    if (position >= this.#log.end) return count
    for (const topic of this.#news(position)) {
      const isKnown = topic.last === topic.first || position === 0
      if (!isKnown && ++asked > MOST_ASKED) count++
      else count += Math.max(0, topic.last - this.#next(topic, isKnown ? 0 : position) + 1)
    }
    return count
  }

  /** The lowest offset of a topic that is behind a position and wanted. */
  next(topic: Topic, position: number): number {
    return topic.lastPosition <= position ? topic.last + 1 : this.#next(topic, position)
  }

  /** The position before the next message, from one behind which there is none for a while. */
  #leap(position: number): number {
    let before = this.#log.end
    let asked = 0
    for (const topic of this.#news(position)) {
      if (++asked > MOST_ASKED) return position
      const next = this.#next(topic, position)
      if (next <= topic.last) before = Math.min(before, (this.#log.positionOf(topic, next) ?? position + 1) - 1)
    }
    return before
  }

  *#news(position: number): Generator<Topic> {
    for (const topic of this.#log.topics()) {
      if (topic.lastPosition > position && this.#pattern.matches(topic.name)) yield topic
    }
  }

  #next(topic: Topic, position: number): number {
    const start = this.#start(topic)
    return position === 0 ? start : Math.max(start, this.#log.offsetBehind(topic, position))
  }

  #start(topic: Topic): number {
    return Math.max(topic.first, this.#from(topic))
  }
}

/** What to look through. */
export interface Stretch {
  /** The position behind which it begins. */
  readonly after: number
  /** Where it ends by now. */
  readonly end: () => number
  /** Fires when nobody waits for it any more. */
  readonly signal: AbortSignal | undefined
}

/** Takes piece by piece until one has messages; none when there are none. Who is far behind waits for his turn, as all do who look through much. */
export async function takeInTurns(take: (position: number) => Found, { after, end, signal }: Stretch): Promise<Found> {
  const slice = new Slice()
  let isOthersTurn = end() - after > MOST_LIVE
  let position = after
  while (position < end() && signal?.aborted !== true) {
    if (isOthersTurn) await slice.next()
    const found = take(position)
    if (found.rows.length > 0) return found
    position = found.position
    isOthersTurn = slice.isOver
  }
  return { rows: [], position }
}
