/** Severity words of the seed (9.7.8), lowest first. */
export const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const
/**
 * One of LEVELS.
 * @example const levels: readonly Level[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']
 */
export type Level = (typeof LEVELS)[number]

/**
 * One log entry as it travels to the log server (design §5).
 * @example const line = ({ timestamp, level, message }: LogEntry) => `${timestamp} ${level} ${message}`
 */
export interface LogEntry {
  readonly timestamp: string
  readonly level: Level
  readonly service: string
  readonly instance: string
  readonly message: string
  readonly trace_id?: string
  readonly span_id?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/**
 * Where entries go: the terminal, the log server's shipper. Never throws, never waits.
 * @example
 * const entries: LogEntry[] = []
 * const running = await catalog.start({ log: (entry) => void entries.push(entry) })
 */
export type LogSink = (entry: LogEntry) => void

/**
 * A role's log. Entries get the current scope's trace and span ids by themselves; secrets in message and metadata are hidden.
 * @example log.warning('the last Laptop is sold', { product_id: 7 }) // found by its trace: msvc logs --trace …
 */
export interface Log {
  /** For whoever looks for a bug. Not kept unless `log.level` says so. */
  debug(message: string, metadata?: Readonly<Record<string, unknown>>): void
  /** What happened, as it should. */
  info(message: string, metadata?: Readonly<Record<string, unknown>>): void
  /** Something went wrong and is dealt with; kept even where the request's trace is not. */
  warning(message: string, metadata?: Readonly<Record<string, unknown>>): void
  /** Something failed for somebody. */
  error(message: string, metadata?: Readonly<Record<string, unknown>>): void
  /** The role can't do its work. */
  critical(message: string, metadata?: Readonly<Record<string, unknown>>): void
}
