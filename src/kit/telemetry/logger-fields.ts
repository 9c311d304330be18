import { isRecord } from '../record.ts'
import { levelOf } from './level-names.ts'
import { parseTimestamp } from './timestamps.ts'

/** The fields of a log entry that other loggers have under names of their own. */
export type LoggerField = 'timestamp' | 'level' | 'service' | 'instance' | 'message' | 'trace_id' | 'span_id'

type Fits = (value: unknown) => boolean

/** A field of ours by what loggers call it, and whether a value can be it: one of that name may be somebody's own. */
interface Aliases {
  readonly names: readonly string[]
  readonly fits: Fits
  /** Under which of these names it may stand in an object, or in a list of them, that has such a key. */
  readonly within: readonly (readonly [key: string, names: readonly string[]])[]
}

const isText = (value: unknown) => typeof value === 'string'
const isCount = (value: unknown) => typeof value === 'number' || JSON.isRawJSON(value)
const isTime = (value: unknown) =>
  (isText(value) || isCount(value)) &&
  parseTimestamp(JSON.isRawJSON(value) ? value.rawJSON : String(value)) !== undefined
const isLevel = (value: unknown) => (isText(value) || typeof value === 'number') && levelOf(value) !== undefined
const isId = (digits: RegExp) => (value: unknown) => isText(value) && digits.test(value) && !/^0+$/.test(value)

/** Where loggers keep what belongs to the request: Java's MDC, log4j2's thread context, Monolog's and Rust's fields, ECS's labels, .NET's scopes. */
const CONTEXTS = ['mdc', 'contextMap', 'context', 'extra', 'fields', 'labels', 'Scopes']

/** @param names `a.b` is the key `a.b`, or `b` in the object `a` */
function aliases(names: readonly string[], fits: Fits, contexts: readonly string[] = []): Aliases {
  const parts = names.flatMap((name) => {
    const [key = '', inner] = name.split('.', 2)
    return inner === undefined ? [] : [[key, [inner]] as const]
  })
  return { names, fits, within: [...parts, ...contexts.map((key) => [key, names] as const)] }
}

/**
 * What pino, bunyan, winston, zap, zerolog, slog, logrus, structlog, python-json-logger, OpenTelemetry's bridges, logback and log4j2 (logstash, ECS), Serilog's compact
 * form (https://clef-json.org), .NET's console, Monolog and Rust's tracing write. Datadog's `dd.trace_id` is not among them: it is half of an id, in decimal.
 */
const FIELDS: Readonly<Record<LoggerField, Aliases>> = {
  timestamp: aliases(['timestamp', 'time', 'ts', '@timestamp', '@t', 'Timestamp', 'datetime', 'timeMillis'], isTime),
  level: aliases(
    ['level', 'severity', 'levelname', 'log.level', '@l', 'LogLevel', 'level_name', 'severity_text', 'lvl'],
    isLevel,
  ),
  service: aliases(['service', 'name'], isText),
  instance: aliases(['instance', 'hostname'], isText),
  message: aliases(['message', 'msg', 'event', '@m', '@mt', 'Message', 'fields.message'], isText),
  // B3's may have half the digits
  trace_id: aliases(
    ['trace_id', 'traceId', 'traceID', 'TraceId', 'trace.id', 'otelTraceID', '@tr'],
    isId(/^(?:[\da-f]{32}|[\da-f]{16})$/i),
    CONTEXTS,
  ),
  span_id: aliases(
    ['span_id', 'spanId', 'spanID', 'SpanId', 'span.id', 'otelSpanID', '@sp'],
    isId(/^[\da-f]{16}$/i),
    CONTEXTS,
  ),
}

/**
 * Takes a field of ours out of what somebody's logger wrote, by the first of its names there under which a fitting value stands.
 * @param fields what the logger wrote; the field found is undefined in it afterwards (deleting it would make all of them slow to read); what stands in a list stays
 * @returns the value as it was written; undefined where there is none
 * @example takeField({ msg: 'sold', id: 7 }, 'message') // 'sold', and { id: 7 } is left
 */
export function takeField(fields: Record<string, unknown>, field: LoggerField): unknown {
  const { names, fits, within } = FIELDS[field]
  for (const name of names) {
    const value = fields[name]
    if (value === undefined || !fits(value)) continue
    fields[name] = undefined
    return value
  }
  for (const [key, inner] of within) {
    if (fields[key] === undefined) continue
    const value = takeWithin(fields, key, inner, fits)
    if (value !== undefined) return value
  }
  return undefined
}

/** Scopes looked at; more than that nobody opens. */
const MOST_SCOPES = 8

function takeWithin(fields: Record<string, unknown>, key: string, names: readonly string[], fits: Fits): unknown {
  const held = fields[key]
  if (Array.isArray(held)) {
    const scopes = held.slice(-MOST_SCOPES).filter(isRecord)
    // the innermost comes last
    return scopes.map((scope) => names.map((name) => scope[name]).find(fits)).findLast((value) => value !== undefined)
  }
  if (!isRecord(held)) return undefined
  const name = names.find((other) => fits(held[other]))
  if (name === undefined) return undefined
  const { [name]: value, ...rest } = held
  fields[key] = Object.keys(rest).length > 0 ? rest : undefined
  return value
}
