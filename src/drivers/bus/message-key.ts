import { hash } from 'node:crypto'

/**
 * The attribute that holds a message's key (CloudEvents Partitioning extension): messages of one subscription that have the same are delivered one after
 * the other. Empty is none.
 */
export const KEY_ATTRIBUTE = 'partitionkey'

/** How it begins in the attributes' JSON text: looked for before any text is parsed. */
const MARK = `"${KEY_ATTRIBUTE}":`
/** Longest key that is kept as it is, in characters. */
const LONGEST = 64

/**
 * The key of a message, from its attributes as JSON text; undefined where it has none. A long one is told by its hash, so that many cost little.
 * @example keyIn('{"partitionkey":"order-7"}') // 'order-7'
 */
export function keyIn(attributes: string): string | undefined {
  if (!attributes.includes(MARK)) return undefined
  const { [KEY_ATTRIBUTE]: key }: { [KEY_ATTRIBUTE]?: string } = JSON.parse(attributes)
  if (key === undefined || key === '') return undefined
  return key.length > LONGEST ? `\u001f${hash('sha256', key, 'base64url')}` : key
}
