import { isRecord } from '../record.ts'
import { levelOf } from '../telemetry/level-names.ts'
import type { Level } from '../telemetry/log.ts'
import { takeField } from '../telemetry/logger-fields.ts'
import { parseTimestamp } from '../telemetry/timestamps.ts'

/** Characters of one entry's text. */
export const MOST_TEXT = 65_536

/** What a logger said with one line; what it left open is for whoever read the line. */
export interface LoggerEntry {
  /** Milliseconds since 1970. */
  readonly time?: number
  readonly level?: Level
  readonly message: string
  readonly traceId?: string
  readonly spanId?: string
  /** All else that it wrote, if anything. */
  readonly rest?: Readonly<Record<string, unknown>>
}

/**
 * Reads what a logger wrote as fields. A line can't speak in another's name: what it says of service and instance stays among the rest, where that is
 * more than is known of it anyway.
 * @param fields is taken apart
 * @returns undefined for what is no line of a log: there is neither a message, nor a level, nor a time. A message of a template goes beyond MOST_TEXT by
 * no more than one value
 * @throws RangeError where a value of a template is nested too deep to be written
 */
export function readLoggerEntry(
  fields: Record<string, unknown>,
  { service, instance }: { readonly service: string; readonly instance: string },
): LoggerEntry | undefined {
  const template = fields['@mt']
  const time = takeTime(fields)
  const level = takeField(fields, 'level') as string | number | undefined
  const message = takeField(fields, 'message') as string | undefined
  if (message === undefined && level === undefined && time === undefined) return undefined
  const traceId = takeField(fields, 'trace_id') as string | undefined
  const spanId = takeField(fields, 'span_id') as string | undefined
  if (fields.service === service) fields.service = undefined
  if (fields.instance === instance) fields.instance = undefined
  const rest = restOf(fields)
  const named = level === undefined ? undefined : levelOf(level)
  return {
    ...(time !== undefined && { time }),
    ...(named !== undefined && { level: named }),
    message: message !== undefined && message === template ? filledIn(message, fields) : (message ?? ''),
    // B3's short ids are the end of a long one
    ...(traceId !== undefined && { traceId: traceId.toLowerCase().padStart(32, '0') }),
    ...(spanId !== undefined && { spanId: spanId.toLowerCase() }),
    ...(rest !== undefined && { rest }),
  }
}

/** A time without a zone could be anybody's: it stays among the rest. */
const WITHOUT_ZONE = /^\d{4}-\d\d-\d\d [\d:.]+$/

function takeTime(fields: Record<string, unknown>): number | undefined {
  const value = takeField(fields, 'timestamp')
  if (value === undefined) return undefined
  const text = JSON.isRawJSON(value) ? value.rawJSON : String(value)
  if (!WITHOUT_ZONE.test(text)) return parseTimestamp(text)
  fields.timestamp = text
  return undefined
}

/** All that wasn't taken. Whoever writes entries of our own form has it in `metadata`. */
function restOf(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const { metadata } = fields
  const left = Object.entries(fields).filter(([, value]) => value !== undefined)
  if (left.length === 0) return undefined
  if (!isRecord(metadata)) return Object.fromEntries(left)
  return { ...Object.fromEntries(left.filter(([name]) => name !== 'metadata')), ...metadata }
}

/** `{Name}`, `{@Name}`, `{Name,8:000}`: https://messagetemplates.org */
const HOLE = /\{[@$]?(\w{1,64})(?:,-?\d{1,4})?(?::[^{}]{0,64})?\}/g

/** Serilog's template with its values, which it writes beside it; what goes beyond the bound of a text is left out, since one value may stand in every hole. */
function filledIn(template: string, values: Readonly<Record<string, unknown>>): string {
  let text = ''
  let from = 0
  for (const { 0: hole, 1: name = '', index } of template.matchAll(HOLE)) {
    text += template.slice(from, index) + (valueIn(values, name) ?? hole)
    from = index + hole.length
    if (text.length >= MOST_TEXT) return text
  }
  return text + template.slice(from)
}

function valueIn(values: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = Object.hasOwn(values, name) ? values[name] : undefined
  if (value === undefined) return undefined
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MOST_TEXT)
}
