import type { Level } from '../../kit/telemetry/log.ts'
import { BELOW, messageLines } from './message-lines.ts'
import { createPaint } from './paint.ts'
import { padWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

/** What a line needs of a log entry, as the kit makes it or the log server gives it back. */
export interface PrintableEntry {
  readonly timestamp: string
  readonly level: Level
  readonly service: string
  readonly message: string
  readonly trace_id?: string | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** Characters of one metadata value; `--json` has it whole. */
const MAX_VALUE = 300
const BARE = /^[^\s"=\\]+$/
/** From here on the trace is named: it is what one looks at next. */
const TRACE = 'trace'
const TRACED: readonly Level[] = ['WARNING', 'ERROR', 'CRITICAL']

/**
 * One log entry as one line: time of day (UTC), level, service, message, metadata. A message of several lines, such as a stack trace, goes on below it,
 * indented and behind a broken bar: no line of it can be taken for another entry. No escape code of its own gets through.
 * @example formatLogEntry(entry, { colour: false }) // '12:00:00.000 INFO     order-service   order 17 is paid order_id=17'
 */
export function formatLogEntry(entry: PrintableEntry, { colour }: { readonly colour: boolean }): string {
  const paint = createPaint(colour)
  const { level, service, message } = entry
  const pairs = pairsOf(entry).map(
    ([key, value]) => `${paint.dim(`${key}=`)}${key === TRACE ? paint.dim(value) : value}`,
  )
  const name = visibleText(service)
  const time = timeOf(entry)
  const [first, ...rest] = messageLines(message)
  const head = [
    paint.dim(time),
    paint.level(level, visibleText(level).padEnd(8)),
    paint.service(name, name.length > 15 ? name : padWidth(name, 15)),
    first,
    ...pairs,
  ].join(' ')
  const below = rest.map((text) => `${' '.repeat(time.length)} ${paint.dim(BELOW)} ${text}`.trimEnd())
  return [head, ...below].join('\n')
}

/** The time of day of an entry (UTC), as it can be printed. */
export function timeOf({ timestamp }: Pick<PrintableEntry, 'timestamp'>): string {
  return /T(\d\d:\d\d:\d\d\.\d{3})/.exec(timestamp)?.[1] ?? visibleText(timestamp)
}

/** What an entry says besides its message, as it can be printed: its metadata, and the trace where it matters. */
export function pairsOf({
  level,
  trace_id: trace,
  metadata = {},
}: Pick<PrintableEntry, 'level' | 'trace_id' | 'metadata'>): readonly (readonly [key: string, value: string])[] {
  const pairs = Object.entries(metadata)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [bareOrQuoted(key), show(value)] as const)
  return trace !== undefined && TRACED.includes(level) ? [...pairs, [TRACE, bareOrQuoted(trace)]] : pairs
}

function show(value: unknown): string {
  if (typeof value === 'string') return bareOrQuoted(value)
  if (typeof value !== 'object' || value === null) return String(value)
  // a failure as the logger wrote it down: its stack is for --json
  if ('message' in value && 'stack' in value) {
    const name = 'name' in value ? value.name : 'type' in value ? value.type : 'Error'
    return bareOrQuoted(`${name}: ${value.message}`)
  }
  return cut(JSON.stringify(value))
}

function bareOrQuoted(text: string): string {
  const visible = cut(text)
  return BARE.test(visible) ? visible : `"${visible.replaceAll('"', '\\"')}"`
}

function cut(text: string): string {
  return visibleText(text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text)
}
