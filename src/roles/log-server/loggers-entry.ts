import { isRecord } from '../../kit/record.ts'

/** An entry's fields, each with what pino, bunyan, winston, zap, slog, logrus, structlog and python-json-logger call it. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  timestamp: ['time', 'ts', '@timestamp'],
  level: ['severity', 'levelname'],
  service: ['name'],
  instance: ['hostname'],
  message: ['msg', 'event'],
  trace_id: [],
  span_id: [],
  metadata: [],
}

/**
 * An entry as somebody's logger writes it, as one of ours: fields by other names count where ours are absent, and what else there is becomes metadata.
 * @example asEntry({ level: 30, time: 1764208000000, name: 'shop', msg: 'sold', id: 7 })
 * // { level: 30, timestamp: 1764208000000, service: 'shop', message: 'sold', metadata: { id: 7 } }
 */
export function asEntry(item: unknown): unknown {
  if (!isRecord(item)) return item
  const others = new Map(Object.entries(item).filter(([name]) => !Object.hasOwn(NAMES, name)))
  if (others.size === 0) return item
  const entry: Record<string, unknown> = {}
  for (const [name, aliases] of Object.entries(NAMES)) {
    const own = item[name] ?? undefined
    const alias = own === undefined ? aliases.find((other) => others.has(other)) : undefined
    const value = alias === undefined ? own : others.get(alias)
    if (value !== undefined) entry[name] = value
    if (alias !== undefined) others.delete(alias)
  }
  const { metadata = {} } = entry
  if (others.size === 0 || !isRecord(metadata)) return entry
  return { ...entry, metadata: { ...Object.fromEntries(others), ...metadata } }
}
