import { isRecord } from '../../kit/record.ts'
import { hideSecrets } from '../../kit/secrets/secret-values.ts'
import { type LoggerField, takeField } from '../../kit/telemetry/logger-fields.ts'
import { MAX_TEXT } from './contract.ts'

/** The fields of an entry of ours that other loggers have under other names, in their order. */
const FIELDS: readonly LoggerField[] = ['timestamp', 'level', 'service', 'instance', 'message', 'trace_id', 'span_id']
const OURS: ReadonlySet<string> = new Set([...FIELDS, 'metadata'])

/**
 * An entry as somebody's logger writes it, as one of ours: fields by other names count where ours are absent, and what else there is becomes metadata, as
 * far as it has room; `left_out` names the rest. What shows a secret together, such as a name beside a value, is hidden before it is taken apart.
 * @param service whose entries they are that don't say so; default: what `name` says
 * @example asEntry({ level: 30, time: 1764208000000, name: 'shop', msg: 'sold', id: 7 })
 * // { level: 30, timestamp: 1764208000000, service: 'shop', message: 'sold', metadata: { id: 7 } }
 */
export function asEntry(item: unknown, service?: string): unknown {
  if (!isRecord(item)) return item
  const unknown = Object.entries(item).filter(([name]) => !OURS.has(name))
  if (unknown.length === 0 && (item.service ?? undefined) !== undefined) return item
  const others = Object.fromEntries(Object.entries(hideSecrets(Object.fromEntries(unknown)) ?? {}))
  const entry: Record<string, unknown> = {}
  for (const field of FIELDS) {
    const value = item[field] ?? (field === 'service' ? service : undefined) ?? takeField(others, field)
    if (value !== undefined) entry[field] = value
  }
  if ((item.metadata ?? undefined) !== undefined) entry.metadata = item.metadata
  // pino writes none for an object alone
  if (entry.message === undefined && typeof entry.level === 'number') entry.message = ''
  const { metadata = {} } = entry
  const left = Object.entries(others).filter(([, value]) => value !== undefined)
  if (left.length === 0 || !isRecord(metadata)) return entry
  return { ...entry, metadata: { ...withRoom(left, JSON.stringify(metadata).length), ...metadata } }
}

/** As many fields as metadata has room for. @param taken characters of it that are */
function withRoom(fields: readonly (readonly [string, unknown])[], taken: number): Readonly<Record<string, unknown>> {
  const kept = new Map<string, unknown>()
  const leftOut: string[] = []
  let size = taken
  for (const [name, value] of fields) {
    const more = JSON.stringify({ [name]: value }).length
    if (size + more > MAX_TEXT - ROOM_FOR_NAMES) leftOut.push(name.slice(0, 100))
    else {
      kept.set(name, value)
      size += more
    }
  }
  if (leftOut.length > 0) kept.set('left_out', leftOut.slice(0, 10))
  return Object.fromEntries(kept)
}

/** Characters for the names of what was left out. */
const ROOM_FOR_NAMES = 2_048
