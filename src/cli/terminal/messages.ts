import { type ConsolaInstance, createConsola, LogLevels, type LogObject } from 'consola/core'
import type { Terminal } from './io.ts'

/** What the program says to the person at the terminal, on stderr: a word for what it is, then one sentence. */
export type Messages = ConsolaInstance

const MARKS: Readonly<Record<string, readonly [word: string, colour: number]>> = {
  error: ['error', 31],
  fatal: ['error', 31],
  warn: ['warning', 33],
  success: ['ok', 32],
}

/** Takes a message as an entry of a log. */
export type MessageLog = (level: 'ERROR' | 'WARNING' | 'INFO', text: string) => void

/**
 * Makes the messages of one run.
 * @param quiet leaves only errors
 * @param logOf where they go instead of the terminal, as soon as there is such a log. Default: nowhere else
 */
export function createMessages(
  terminal: Terminal,
  quiet: boolean,
  logOf: () => MessageLog | undefined = () => undefined,
): Messages {
  const log = ({ type, args }: LogObject) => {
    const mark = MARKS[type]
    const text = args.map(String).join(' ')
    const entries = logOf()
    if (entries) return entries(mark?.[0] === 'error' ? 'ERROR' : mark?.[0] === 'warning' ? 'WARNING' : 'INFO', text)
    if (!mark) return terminal.write(`${text}\n`)
    const [word, colour] = mark
    terminal.write(`${terminal.colour ? `\u001b[${colour}m${word}\u001b[39m` : word}: ${text}\n`)
  }
  return createConsola({ level: quiet ? LogLevels.error : LogLevels.info, reporters: [{ log }], throttle: 0 })
}
