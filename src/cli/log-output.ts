import type { LogEntry, LogSink } from '../kit/telemetry/log.ts'
import type { Session } from './session.ts'

/** Writes log entries to stderr, as lines for people or as JSON lines. With `--quiet` only errors. */
export function logOutput({ io, options }: Session, format: 'text' | 'json'): LogSink {
  const { err } = io
  return (entry) => {
    if (options.quiet && entry.level !== 'ERROR' && entry.level !== 'CRITICAL') return
    err.write(format === 'json' ? `${JSON.stringify(entry)}\n` : `${formatLogLine(entry, { colour: err.colour })}\n`)
  }
}

/**
 * Takes the lines that a role's process wrote: its log entries (JSON lines) go to the sink, anything else, such as a crash, is
 * written as it is, with the unit's name before it.
 */
export function unitOutput({ io }: Session, sink: LogSink): (unit: string, line: string) => void {
  return (unit, line) => {
    const entry = line.startsWith('{"timestamp"') ? parseEntry(line) : undefined
    if (entry) sink(entry)
    else io.err.write(`${unit}: ${line}\n`)
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

export function formatLogLine(entry: LogEntry, _options: { colour: boolean }): string {
  return `${entry.timestamp} ${entry.level} ${entry.service} ${entry.message} ${JSON.stringify(entry.metadata ?? {})}`
}
