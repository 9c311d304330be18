import type { Level } from '../../kit/telemetry/log.ts'
import { type PrintableEntry, pairsOf, timeOf } from './log-entry.ts'
import { BELOW, messageLines } from './message-lines.ts'
import { createPaint } from './paint.ts'
import { padWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

/** How entries of units stand below each other. */
export interface UnitEntryStyle {
  /** Whose entry it is. */
  readonly unit: string
  /** Columns of all units' names. */
  readonly width: number
  readonly colour: boolean
}

/** Most lines of one message, such as a stack trace; the log server has all of it. */
const MAX_LINES = 40
const USUAL: Level = 'INFO'

/**
 * A log entry as a terminal shows it that several units write to: time of day (UTC), the unit in its colour, the level where it isn't INFO, message,
 * metadata. A message of several lines, such as a stack trace, goes on below itself behind the same name and a broken bar, so that none of its lines
 * can be taken for another entry. No escape code of its own gets through.
 * @example formatUnitEntry(entry, { unit: 'catalog-2', width: 11, colour: false }) // '12:00:00.000 catalog-2   | served /x ms=3'
 */
export function formatUnitEntry(entry: PrintableEntry, { unit, width, colour }: UnitEntryStyle): string {
  const paint = createPaint(colour)
  const name = visibleText(unit)
  const label = paint.service(name, padWidth(name, width))
  const time = timeOf(entry)
  const { level, message } = entry
  const pairs = pairsOf(entry).map(([key, value]) => `${key}=${value}`)
  const [first, ...others] = messageLines(message)
  const rest = others.slice(0, MAX_LINES - 1)
  const head = [
    paint.dim(time),
    label,
    paint.dim('|'),
    ...(level === USUAL ? [] : [paint.level(level, visibleText(level))]),
    first,
    ...(pairs.length > 0 ? [paint.dim(pairs.join(' '))] : []),
  ].join(' ')
  const more = others.length > rest.length ? [`… ${others.length - rest.length} more lines`] : []
  const below = [...rest, ...more].map((text) => `${' '.repeat(time.length)} ${label} ${paint.dim(BELOW)} ${text}`)
  return [head, ...below].join('\n')
}
