import type { Io, Terminal } from '../io.ts'

/** A stream that nobody looks at. */
export const QUIET: Terminal = { isTTY: false, colour: false, columns: 80, rows: 24, write: () => {} }

/**
 * A process of a test's own, in a folder: nothing is piped in, nobody sits there, and it is never stopped.
 * @param more what is otherwise. Default: nothing
 */
export function quietIo(folder: string, more: Partial<Io> = {}): Io {
  const never = new AbortController().signal
  return {
    out: QUIET,
    err: QUIET,
    outputTaken: async () => {},
    writeBytes: async () => {},
    outputClosed: false,
    outputLost: never,
    readInput: async () => '',
    licences: async () => '',
    environment: {},
    folder,
    pid: process.pid,
    self: ['msvc'],
    ownVariables: {},
    signal: never,
    leaving: never,
    settled: () => {},
    leaveInterruptsToParent: () => {},
    ...more,
  }
}
