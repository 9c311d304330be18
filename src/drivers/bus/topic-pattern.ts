import { DriverError } from '../driver-error.ts'

/** A topic or a pattern over topics, read once and matched often. */
export interface TopicPattern {
  /** The text it was made from. */
  readonly source: string
  /** Whether it has no wildcard: the one topic that fits is `source`. */
  readonly exact: boolean
  /** Whether a topic fits. */
  matches(topic: string): boolean
}

/**
 * Reads a pattern: dot-separated words, where `*` stands for exactly one word and `>`, only as the last, for one or more
 * (NATS subject wildcards: docs.nats.io/nats-concepts/subjects).
 * @throws DriverError `invalid` for an empty word, or a wildcard that is only part of a word or, for `>`, not the last.
 * @example topicPattern('order.*').matches('order.created') // true
 * @example topicPattern('order.>').matches('order') // false
 */
export function topicPattern(source: string): TopicPattern {
  const words = source.split('.')
  const last = words.length - 1
  for (const [index, word] of words.entries()) {
    const wild = word.includes('*') || word.includes('>')
    if (word === '' || (wild && word !== '*' && !(word === '>' && index === last))) {
      throw new DriverError(
        'invalid',
        `"${source}" is no topic pattern: write words between dots, * for one word, > as the last word for the rest`,
      )
    }
  }
  if (!words.includes('*') && words[last] !== '>') return { source, exact: true, matches: (topic) => topic === source }
  // without taking the name apart: a pattern is held against all of ten thousand topics
  const shape = new RegExp(`^${words.map(shapeOf).join('\\.')}$`)
  return { source, exact: false, matches: (topic) => shape.test(topic) }
}

function shapeOf(word: string): string {
  if (word === '*') return '[^.]+'
  return word === '>' ? '[^]+' : RegExp.escape(word)
}
