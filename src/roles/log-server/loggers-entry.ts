import { isRecord } from '../../kit/record.ts'
import { hideSecrets } from '../../kit/secrets/secret-values.ts'
import { levelOf } from '../../kit/telemetry/level-names.ts'
import { parseTimestamp } from '../../kit/telemetry/timestamps.ts'
import { MAX_TEXT } from './contract.ts'

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
const FIELDS: Readonly<Record<string, Aliases | undefined>> = {
  timestamp: { names: ['time', 'ts', '@timestamp'], fits: isTime },
  level: { names: ['severity', 'levelname'], fits: isLevel },
  service: { names: ['name'], fits: isText },
  instance: { names: ['hostname'], fits: isText },
  message: { names: ['msg', 'event'], fits: isText },
  trace_id: undefined,
  span_id: undefined,
  metadata: undefined,
}

/**
 * An entry as somebody's logger writes it, as one of ours: fields by other names count where ours are absent, and what else there is becomes metadata, as
 * far as it has room; `left_out` names the rest. What shows a secret together, such as a name beside a value, is hidden before it is taken apart.
 * @param service whose entries they are that don't say so; default: what `name` says
 * @example asEntry({ level: 30, time: 1764208000000, name: 'shop', msg: 'sold', id: 7 })
 * // { level: 30, timestamp: 1764208000000, service: 'shop', message: 'sold', metadata: { id: 7 } }
 */
export function asEntry(item: unknown, service?: string): unknown {
  if (!isRecord(item)) return item
  const unknown = Object.entries(item).filter(([name]) => !Object.hasOwn(FIELDS, name))
  if (unknown.length === 0 && (item.service ?? undefined) !== undefined) return item
  const others = new Map(Object.entries(hideSecrets(Object.fromEntries(unknown)) ?? {}))
  const entry: Record<string, unknown> = {}
  for (const [name, aliases] of Object.entries(FIELDS)) {
    const own = item[name] ?? (name === 'service' ? service : undefined)
    const alias = own === undefined ? aliases?.names.find((other) => aliases.fits(others.get(other))) : undefined
    const value = alias === undefined ? own : others.get(alias)
    if (value !== undefined) entry[name] = value
    if (alias !== undefined) others.delete(alias)
  }
  // pino writes none for an object alone
  if (entry.message === undefined && typeof entry.level === 'number') entry.message = ''
  const { metadata = {} } = entry
  if (others.size === 0 || !isRecord(metadata)) return entry
  return { ...entry, metadata: { ...withRoom(others, JSON.stringify(metadata).length), ...metadata } }
}

/** As many fields as metadata has room for. @param taken characters of it that are */
function withRoom(fields: ReadonlyMap<string, unknown>, taken: number): Readonly<Record<string, unknown>> {
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
