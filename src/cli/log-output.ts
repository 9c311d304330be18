import type { LogEntry, LogSink } from '../kit/telemetry/log.ts'
import type { Io } from './io.ts'
import { visibleJson, visibleText } from './render/visible-text.ts'
import type { Session } from './session.ts'

/**
 * Makes the sink that writes log entries to stderr, as lines for people or as JSON lines. With `--quiet` only errors. What turns
 * entries into lines for people is loaded only where there are such people: it costs 4 MB.
 */
export async function logOutput(
  { io, options }: { readonly io: Pick<Io, 'err'>; readonly options: Session['options'] },
  format: 'text' | 'json',
): Promise<LogSink> {
  const { err } = io
  const line = format === 'json' ? visibleJson : await textLines(err.colour)
  return (entry) => {
    if (options.quiet && entry.level !== 'ERROR' && entry.level !== 'CRITICAL') return
    err.write(`${line(entry)}\n`, entry.level === 'INFO' || entry.level === 'DEBUG' ? 'soon' : 'now')
  }
}

async function textLines(colour: boolean): Promise<(entry: LogEntry) => string> {
  const { formatLogLine } = await import('./render/log-line.ts')
  return (entry) => formatLogLine(entry, { colour })
}

/** Where the lines go that roles' processes write. */
export interface UnitOutput {
  /** Takes one line of a unit. */
  readonly take: (unit: string, line: string) => void
  /** From now on entries go to the sink; before, nothing is known of how they are to look, and no role has anything to say. */
  begin(sink: LogSink): void
}

/**
 * Takes the lines that roles' processes write: log entries (JSON lines) go to the sink, anything else, such as a crash, is written
 * with the unit's name before it, and what is hidden in it in letters.
 */
export function createUnitOutput({ io }: { readonly io: Pick<Io, 'err'> }): UnitOutput {
  let sink: LogSink | undefined
  return {
    take(unit, line) {
      const entry = sink && line.startsWith('{"timestamp"') ? parseEntry(line) : undefined
      if (entry) sink?.(entry)
      else io.err.write(`${unit}: ${visibleText(line)}\n`)
    },
    begin(given) {
      sink = given
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
