import { partsOf } from './parts.ts'

const [MORE, LAST] = [0, 1]

/**
 * What one broker says to another, as JSON in parts, of which the first byte says whether it is the last.
 * @param room bytes that a message takes
 */
export function callParts(what: unknown, room: number): readonly Uint8Array[] {
  const parts = partsOf(Buffer.from(JSON.stringify(what)), room - 1)
  return parts.map((part, at) => Buffer.concat([Uint8Array.of(at < parts.length - 1 ? MORE : LAST), part]))
}

/** Puts together what came in parts. */
export class PartJoiner {
  readonly #parts: Uint8Array[] = []

  /** Takes the next part. Gives the bytes of all of them once it was the last. */
  next(part: Uint8Array): Buffer | undefined {
    this.#parts.push(part.subarray(1))
    return part[0] === LAST ? Buffer.concat(this.#parts) : undefined
  }
}
