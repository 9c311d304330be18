import { Slice } from '../../drivers/slice.ts'
import { AppError } from '../errors.ts'
import { MAX_BODY_BYTES } from './body.ts'
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  isBlank,
  NEWLINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-bytes.ts'

/** Largest batch in bytes (8 MiB). */
export const MAX_BATCH_BYTES = 8 * 1_048_576
/** Most items in a batch. */
const MAX_ITEMS = 10_000
/** An item may be as large as a body of its own, and have an envelope around it. */
export const MAX_ITEM_BYTES = MAX_BODY_BYTES + 65_536
/** Blank bytes passed over between two looks at the time: some 20 µs. */
const LOOK_BYTES = 16_384

/** Makes something of an item's bytes; `index` counts from 0. What it throws ends the reading. */
export type ReadItem<T> = (bytes: Buffer, index: number) => T

/**
 * Reads a body that has a document a line (NDJSON), in slices that let others have their turns. Blank lines count for nothing.
 * Throws AppError `INVALID_REQUEST` for more than 10 000 items, `BODY_TOO_LARGE` for an item of more than 1 MiB and 64 KiB.
 */
export async function readLines<T>(body: Buffer, read: ReadItem<T>): Promise<readonly T[]> {
  const items: T[] = []
  const slice = new Slice()
  for (let at = await passBlanks(body, 0, slice); at < body.length; ) {
    const newline = body.indexOf(NEWLINE, at)
    const end = newline < 0 ? body.length : newline
    items.push(readItem(body, at, end, items.length, read))
    at = await passBlanks(body, end, slice)
  }
  return items
}

/**
 * The same for a JSON array: each of its elements is parsed by itself, since JSON.parse can't be interrupted. Undefined when the body begins as
 * something else. Throws AppError `INVALID_BODY` also where the array ends too early or too late.
 */
export async function readArray<T>(body: Buffer, read: ReadItem<T>): Promise<readonly T[] | undefined> {
  const items: T[] = []
  const slice = new Slice()
  let at = await passBlanks(body, 0, slice)
  if (body[at] !== OPEN_BRACKET) return undefined
  at = await passBlanks(body, at + 1, slice)
  const isEmpty = body[at] === CLOSE_BRACKET
  while (!isEmpty) {
    const end = endOfElement(body, at)
    items.push(readItem(body, at, end, items.length, read))
    at = end
    if (body[at] !== COMMA) break
    at = await passBlanks(body, at + 1, slice)
  }
  if (body[at] === CLOSE_BRACKET && (await passBlanks(body, at + 1, slice)) === body.length) return items
  throw new AppError('INVALID_BODY', 'The body is no JSON array')
}

/** The same for a body that is one document. */
export function readOne<T>(body: Buffer, read: ReadItem<T>): readonly T[] {
  return [readItem(body, 0, body.length, 0, read)]
}

function readItem<T>(body: Buffer, at: number, end: number, index: number, read: ReadItem<T>): T {
  if (index >= MAX_ITEMS)
    throw new AppError('INVALID_REQUEST', `A batch holds at most ${MAX_ITEMS} items; send several`)
  if (end - at > MAX_ITEM_BYTES)
    throw new AppError('BODY_TOO_LARGE', `The item at index ${index} has more than ${MAX_ITEM_BYTES} bytes`)
  return read(body.subarray(at, end), index)
}

/** Where the next byte stands that is no white space of JSON. */
async function passBlanks(body: Buffer, from: number, slice: Slice): Promise<number> {
  for (let at = from; ; ) {
    if (slice.isOver) await slice.next()
    const most = Math.min(body.length, at + LOOK_BYTES)
    while (at < most && isBlank(body[at])) at++
    if (at < most || at === body.length) return at
  }
}

/** Where the comma or the bracket behind an element stands; further than an element may be long when there is none so far. */
function endOfElement(body: Buffer, from: number): number {
  const most = Math.min(body.length, from + MAX_ITEM_BYTES + 1)
  let depth = 0
  for (let at = from; at < most; at++) {
    const byte = body[at]
    if (byte === QUOTE) at = endOfString(body, at, most)
    else if (byte === COMMA && depth === 0) return at
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth < 0) return at
  }
  return most
}

function endOfString(body: Buffer, from: number, most: number): number {
  for (let at = from + 1; at < most; at++) {
    if (body[at] === BACKSLASH) at++
    else if (body[at] === QUOTE) return at
  }
  return most
}
