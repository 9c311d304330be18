import type { Context } from 'hono'
import { Slice } from '../../drivers/slice.ts'
import type { AppEnv } from './app-env.ts'
import { PIECE_BYTES } from './frame.ts'

/** Characters written before a piece is sent: in UTF-8 it is no larger than others are, as a rule. */
const PIECE_LENGTH = PIECE_BYTES / 2
const utf8 = new TextEncoder()

/**
 * The JSON of an object with these items in its last member, which is an empty list in `around`.
 * @param partsOf writes an item. Default: in one part
 */
export function* jsonInParts<T>(
  around: object,
  items: Iterable<T>,
  partsOf: (item: T) => Iterable<string> = (item) => [JSON.stringify(item)],
): Generator<string> {
  yield JSON.stringify(around).slice(0, -']}'.length)
  let separator = ''
  for (const item of items) {
    for (const part of partsOf(item)) {
      yield `${separator}${part}`
      separator = ''
    }
    separator = ','
  }
  yield ']}'
}

/**
 * Answers with JSON that may be long: it is written in slices that let others have their turns, and no faster than it is read, so that a piece
 * of it is all that a slow reader holds.
 * @param parts what they are made of must not change while they are written
 * @example return answerInParts(c, jsonInParts({ services: [] }, services))
 */
export function answerInParts(c: Context<AppEnv>, parts: Iterable<string>): Response {
  const rest = parts[Symbol.iterator]()
  const slice = new Slice()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (slice.isOver) await slice.next()
      let text = ''
      let part = rest.next()
      for (; !part.done; part = rest.next()) {
        text += part.value
        if (text.length >= PIECE_LENGTH || slice.isOver) break
      }
      controller.enqueue(utf8.encode(text))
      if (part.done) controller.close()
    },
  })
  return c.body(body, 200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' })
}
