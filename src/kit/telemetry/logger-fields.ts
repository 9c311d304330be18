import { levelOf } from './level-names.ts'
import { parseTimestamp } from './timestamps.ts'

/** The fields of a log entry that other loggers have under names of their own. */
export type LoggerField = 'timestamp' | 'level' | 'service' | 'instance' | 'message'

/** A field of ours by what other loggers call it, and whether a value can be it: one of that name may be somebody's own. */
interface Aliases {
  readonly names: readonly string[]
  readonly fits: (value: unknown) => boolean
}

const isText = (value: unknown) => typeof value === 'string'
const isCount = (value: unknown) => typeof value === 'number' || JSON.isRawJSON(value)
const isTime = (value: unknown) =>
  (isText(value) || isCount(value)) &&
  parseTimestamp(JSON.isRawJSON(value) ? value.rawJSON : String(value)) !== undefined
const isLevel = (value: unknown) => (isText(value) || typeof value === 'number') && levelOf(value) !== undefined

/** What pino, bunyan, winston, zap, slog, logrus, structlog and python-json-logger write. */
const FIELDS: Readonly<Record<LoggerField, Aliases>> = {
  timestamp: { names: ['time', 'ts', '@timestamp'], fits: isTime },
  level: { names: ['severity', 'levelname'], fits: isLevel },
  service: { names: ['name'], fits: isText },
  instance: { names: ['hostname'], fits: isText },
  message: { names: ['msg', 'event'], fits: isText },
}

/**
 * Takes a field of ours out of what somebody's logger wrote, by the first of its names there under which a fitting value stands.
 * @param fields what the logger wrote; the field found is removed from it
 * @returns the value as it was written; undefined where there is none
 * @example takeField({ msg: 'sold', id: 7 }, 'message') // 'sold', and { id: 7 } is left
 */
export function takeField(fields: Record<string, unknown>, field: LoggerField): unknown {
  const { names, fits } = FIELDS[field]
  const name = names.find((other) => fits(fields[other]))
  if (name === undefined) return undefined
  const value = fields[name]
  delete fields[name]
  return value
}
