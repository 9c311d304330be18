import type { LogEntry, LogSink } from '../../kit/telemetry/log.ts'
import { visibleJson, visibleText } from '../render/visible-text.ts'
import type { Session } from '../session/session.ts'
import type { Io } from '../terminal/io.ts'

/** Where entries are written, and which. */
export interface LogOutputOptions {
  readonly io: Pick<Io, 'err'>
  readonly options: Session['options']
}

/** Gives where the entries of a unit go. */
export type SinkOf = (unit: string) => LogSink

/**
 * Makes the sink that writes log entries to stderr, as lines for people or as JSON lines. With `--quiet` only errors. What turns
 * entries into lines for people is loaded only where there are such people: it costs 4 MB.
 */
export async function logOutput({ io, options }: LogOutputOptions, format: 'text' | 'json'): Promise<LogSink> {
  const { err } = io
  const line = format === 'json' ? visibleJson : await textLines(err.colour)
  return (entry) => {
    if (options.quiet && entry.level !== 'ERROR' && entry.level !== 'CRITICAL') return
    err.write(`${line(entry)}\n`, entry.level === 'INFO' || entry.level === 'DEBUG' ? 'soon' : 'now')
  }
}

async function textLines(colour: boolean): Promise<(entry: LogEntry) => string> {
  const { formatLogEntry } = await import('../render/log-entry.ts')
  return (entry) => formatLogEntry(entry, { colour })
}

/** Most columns for a unit's name before each of its lines. */
const MAX_NAME = 20

/**
 * The same for several units: on a terminal their names stand before what they say, in a column of equal width.
 * @param units names that are known so far; the column grows with those that come
 */
export async function unitLogOutput(
  given: LogOutputOptions,
  format: 'text' | 'json',
  units: readonly string[],
): Promise<SinkOf> {
  const { err } = given.io
  if (format === 'json' || !err.isTTY || given.options.quiet) {
    const sink = await logOutput(given, format)
    return () => sink
  }
  const { formatUnitEntry } = await import('../render/unit-entry.ts')
  let width = 0
  const makeRoom = (unit: string) => {
    width = Math.max(width, Math.min(MAX_NAME, unit.length))
  }
  units.forEach(makeRoom)
  return (unit) => {
    makeRoom(unit)
    return (entry) => err.write(`${formatUnitEntry(entry, { unit, width, colour: err.colour })}\n`)
  }
}

/** Where the lines go that roles' processes write. */
export interface UnitOutput {
  /** Takes one line of a unit. */
  readonly take: (unit: string, line: string) => void
  /** From now on entries go to these sinks; before, nothing is known of how they are to look, and no role has anything to say. */
  begin(sinkOf: SinkOf): void
}

/**
 * Takes the lines that roles' processes write: log entries (JSON lines) go to the unit's sink, anything else, such as a crash, is written
 * with the unit's name before it, and what is hidden in it in letters.
 */
export function createUnitOutput({ io }: { readonly io: Pick<Io, 'err'> }): UnitOutput {
  let sinkOf: SinkOf | undefined
  return {
    take(unit, line) {
      const entry = sinkOf && line.startsWith('{"timestamp"') ? parseEntry(line) : undefined
      if (entry) sinkOf?.(unit)(entry)
      else io.err.write(`${unit}: ${visibleText(line)}\n`)
    },
    begin(given) {
      sinkOf = given
    },
  }
}

/** The entry in a line that a process of ours wrote: same program, same shape; a cut line is no JSON. */
function parseEntry(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
