import { partsOf } from './parts.ts'

const [MORE, LAST] = [0, 1]
/** Before each part: whether it is the last, and the how-manyth, in two bytes. */
const HEAD = 3

/**
 * What one broker says to another, as JSON in parts, each behind its head.
 * @param room bytes that a message takes
 */
export function callParts(what: unknown, room: number): readonly Uint8Array[] {
  const parts = partsOf(Buffer.from(JSON.stringify(what)), room - HEAD)
  return parts.map((part, at) => {
    const head = Buffer.alloc(HEAD, at < parts.length - 1 ? MORE : LAST)
    head.writeUInt16BE(at, 1)
    return Buffer.concat([head, part])
  })
}

/** Puts together what came in parts. */
export class PartJoiner {
  readonly #parts: Uint8Array[] = []

  /** Takes the next part. Gives the bytes of all of them once it was the last; `lost` where one before it did not come, and with it the rest is of no use. */
  next(part: Uint8Array): Buffer | 'lost' | undefined {
    if (part.length < HEAD || new DataView(part.buffer, part.byteOffset).getUint16(1) !== this.#parts.length)
      return 'lost'
    this.#parts.push(part.subarray(HEAD))
    return part[0] === LAST ? Buffer.concat(this.#parts) : undefined
  }
}
