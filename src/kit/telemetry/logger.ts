import type { Clock } from '../../drivers/clock.ts'
import { LEVELS, type Level, type Log, type LogEntry, type LogSink } from './log.ts'
import { redact, redactText } from './redact.ts'
import { currentScope } from './scope.ts'

/** Who logs, what, and where to. */
export interface LoggerOptions {
  readonly service: string
  readonly instance: string
  readonly clock: Pick<Clock, 'now'>
  /** Lowest level that is kept. Default INFO. */
  readonly level?: Level
  readonly sinks: readonly LogSink[]
}

/**
 * Makes a role's log. Secrets that show themselves in message or metadata are hidden. An entry gets the ids of the trace it belongs to; one within a request whose trace isn't kept
 * is kept only from WARNING up, so that load doesn't turn into a flood of lines.
 */
export function createLog({ service, instance, clock, level = 'INFO', sinks }: LoggerOptions): Log {
  const lowest = LEVELS.indexOf(level)

  function write(at: Level, message: string, metadata?: Readonly<Record<string, unknown>>) {
    if (LEVELS.indexOf(at) < lowest) return
    const span = currentScope()?.span
    if (span && !span.sampled && LEVELS.indexOf(at) < LEVELS.indexOf('WARNING')) return
    const entry: LogEntry = {
      timestamp: new Date(clock.now()).toISOString(),
      level: at,
      service,
      instance,
      message: redactText(message),
      ...(span && { trace_id: span.traceId, span_id: span.spanId }),
      ...(metadata && { metadata: redact(metadata) }),
    }
    for (const sink of sinks) sink(entry)
  }

  return {
    debug: (message, metadata) => write('DEBUG', message, metadata),
    info: (message, metadata) => write('INFO', message, metadata),
    warning: (message, metadata) => write('WARNING', message, metadata),
    error: (message, metadata) => write('ERROR', message, metadata),
    critical: (message, metadata) => write('CRITICAL', message, metadata),
  }
}
