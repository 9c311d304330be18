import type { Command } from 'commander'
import { visibleJson } from '../render/visible-text.ts'
import type { Io } from '../terminal/io.ts'
import { createMessages, type Messages } from '../terminal/messages.ts'

/** The options every command takes (design §7). */
export interface GlobalOptions {
  readonly config?: string
  readonly data?: string
  readonly json?: boolean
  readonly quiet?: boolean
}

/** One run of one command: the process, the global options, and the ways to say something. */
export interface Session {
  readonly io: Io
  readonly options: GlobalOptions
  /** To the person, on stderr. */
  readonly messages: Messages
  /** The command's result for people, on stdout; nothing under `--json`. */
  print(text: string): void
  /** The command's result for programs, one JSON document a line on stdout; nothing without `--json`. */
  printJson(value: unknown): void
  /** Has the process end with an exit code of its own, as that of a command which it ran. Default 0. */
  endWith(code: number): void
}

/** Opens a command's session from its options and the program's. */
export type OpenSession = (command: Command) => Session

/** Makes the function by which commands open their session. @param endWith told the exit code that a command wants */
export function sessions(io: Io, endWith: (code: number) => void): OpenSession {
  return (command) => {
    const options: GlobalOptions = command.optsWithGlobals()
    const json = options.json ?? false
    return {
      io,
      options,
      messages: createMessages(io.err, options.quiet ?? false),
      print: (text) => json || io.out.write(`${text}\n`),
      printJson: (value) => json && io.out.write(`${visibleJson(value)}\n`),
      endWith,
    }
  }
}
