/**
 * Cuts bytes into those of messages: one, if they fit.
 * @param room bytes that a message has for them, from 1 on
 */
export function partsOf(bytes: Uint8Array, room: number): readonly Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / room))
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * room, (at + 1) * room))
}
