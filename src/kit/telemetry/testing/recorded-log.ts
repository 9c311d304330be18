import type { Log } from '../log.ts'

/** A log for tests to look into. */
export interface RecordedLog extends Log {
  readonly lines: string[]
}

/** A log that nobody reads. */
export const silentLog: Log = { debug() {}, info() {}, warning() {}, error() {}, critical() {} }

/** A log that keeps its lines, as `LEVEL message`. */
export function recordedLog(): RecordedLog {
  const lines: string[] = []
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  return {
    lines,
    debug: at('DEBUG'),
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
    critical: at('CRITICAL'),
  }
}
