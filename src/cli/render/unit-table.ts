import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { columns } from './columns.ts'
import { fitWidth, textWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

/** A unit, and what it takes of the machine. */
export interface MeasuredUnit extends UnitRow {
  readonly port: number | undefined
  /** Share of one processor, 1 for all of it. */
  readonly cpu?: number
  /** Bytes. */
  readonly memory?: number
}

const NONE = '-'
const LAST_END = 'LAST END'

/**
 * Units as a table. What one that starts is doing has a line of its own below it, and so has why each last ended where the width has no room for it. The
 * services are left out where they are named as their units.
 * @param now milliseconds since 1970
 * @param width columns that there is room for. Default: no limit
 */
export function unitTable(units: readonly MeasuredUnit[], now: number, width = Number.POSITIVE_INFINITY): string {
  const hasServices = units.some(({ unit, service = unit }) => service !== unit)
  const heading = [
    'UNIT',
    ...(hasServices ? ['SERVICE'] : []),
    'STATE',
    'PID',
    'PORT',
    'RESTARTS',
    'CPU',
    'MEMORY',
    'FOR',
  ]
  const rows = units.map((unit) => cells(unit, now, hasServices))
  const whole = columns([[...heading, LAST_END], ...rows.map((row, index) => [...row, units[index]?.ended ?? ''])])
  const isWide = whole.split('\n').every((line) => textWidth(line) <= width)
  const [head = '', ...lines] = isWide ? whole.split('\n') : columns([heading, ...rows]).split('\n')
  const all = lines.flatMap((line, index) => {
    const unit = units[index]
    const { doing, state, ended } = unit ?? {}
    const below = [
      ...(doing === undefined || doing === state ? [] : [doing]),
      ...(unit ? restartWords(unit, now) : []),
      ...(isWide || ended === undefined ? [] : [`last ended: ${ended}`]),
    ]
    return [line, ...below.map((words) => `  ${visibleText(words)}`)]
  })
  return [head, ...all].map((line) => fitWidth(line, width)).join('\n')
}

function cells(unit: MeasuredUnit, now: number, hasServices: boolean): readonly string[] {
  const { service, state, pid, port, restarts, cpu, memory, since } = unit
  return [
    unit.unit,
    ...(hasServices ? [service ?? NONE] : []),
    state,
    String(pid ?? NONE),
    String(port ?? NONE),
    String(restarts ?? NONE),
    cpu === undefined ? NONE : `${Math.round(cpu * 100)}%`,
    memory === undefined ? NONE : `${Math.round(memory / 1_000_000)} MB`,
    since === undefined ? NONE : spanOf(now - Date.parse(since)),
  ]
}

/** When one that has ended starts again, and what that leaves of its restart budget. */
function restartWords({ state, next_start, ends_in_a_row, restart_budget }: UnitRow, now: number): string[] {
  if (state === 'failed') {
    // one that is never restarted may have a budget, and has spent nothing of it
    const isSpent = restart_budget !== undefined && ends_in_a_row !== undefined
    return isSpent ? [`its restart budget of ${restart_budget} is spent`] : []
  }
  if (next_start === undefined) return []
  const ends = ends_in_a_row ?? 1
  const times = restart_budget === undefined ? `after ${ends} in a row` : `restart ${ends} of ${restart_budget}`
  return [`starts again in ${spanOf(Date.parse(next_start) - now)}, ${times}`]
}

/** A length of time in its largest unit. */
function spanOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`
}
