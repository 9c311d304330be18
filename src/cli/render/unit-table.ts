import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { columns } from './columns.ts'
import { folded } from './folded.ts'
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
/** Between two columns. */
const GAP = 2
/** Columns of the longest name that stands beside the rest, where there is no room for all. */
const LONGEST_NAME = 24

/** A column: its heading, and what a unit has in it. */
interface Column {
  readonly heading: string
  readonly cell: (unit: MeasuredUnit, now: number) => string
}

const UNIT: Column = { heading: 'UNIT', cell: ({ unit }) => unit }
const SERVICE: Column = { heading: 'SERVICE', cell: ({ service }) => service ?? NONE }
const STATE: Column = { heading: 'STATE', cell: ({ state }) => state }
const PID: Column = { heading: 'PID', cell: ({ pid }) => String(pid ?? NONE) }
const PORT: Column = { heading: 'PORT', cell: ({ port }) => String(port ?? NONE) }
const RESTARTS: Column = { heading: 'RESTARTS', cell: ({ restarts }) => String(restarts ?? NONE) }
const CPU: Column = { heading: 'CPU', cell: ({ cpu }) => (cpu === undefined ? NONE : `${Math.round(cpu * 100)}%`) }
const MEMORY: Column = {
  heading: 'MEMORY',
  cell: ({ memory }) => (memory === undefined ? NONE : `${Math.round(memory / 1_000_000)} MB`),
}
const FOR: Column = {
  heading: 'FOR',
  cell: ({ since }, now) => (since === undefined ? NONE : spanOf(now - Date.parse(since))),
}
const LAST_END: Column = { heading: 'LAST END', cell: ({ ended }) => ended ?? '' }

const ALL = [UNIT, SERVICE, STATE, PID, PORT, RESTARTS, CPU, MEMORY, FOR, LAST_END]
/** What is there in any width, and what besides where there is room, the most useful first. */
const LEAST = [UNIT, STATE]
const BESIDES = [PORT, FOR, RESTARTS, PID, MEMORY, SERVICE, CPU, LAST_END]

/**
 * Units as a table. What one that starts is doing has a line of its own below it, and so has why each last ended where the width has no room for it. The
 * services are left out where they are named as their units, the last ends where nothing has ended. Where it is too wide, columns are left out, the most useful ones last; a name that has no room
 * even then stands alone above its line. Nothing is cut as long as no single word is wider than the width.
 * @param now milliseconds since 1970
 * @param width columns that there is room for. Default: no limit
 */
export function unitTable(units: readonly MeasuredUnit[], now: number, width = Number.POSITIVE_INFINITY): string {
  const hasServices = units.some(({ unit, service = unit }) => service !== unit)
  const hasEnds = units.some(({ ended }) => ended !== undefined)
  const all = ALL.filter((column) => (column !== SERVICE || hasServices) && (column !== LAST_END || hasEnds))
  const whole = tableOf(all, units, now)
  const isWide = whole.every((line) => textWidth(line) <= width)
  const isLong = ({ unit }: MeasuredUnit) => !isWide && textWidth(visibleText(unit)) > LONGEST_NAME
  const beside = units.map((unit) => (isLong(unit) ? { ...unit, unit: '' } : unit))
  const [shown, table] = isWide ? [all, whole] : fitting(all, beside, now, width)
  const [head = '', ...lines] = table
  const rows = units.flatMap((unit, index) => [
    ...(isLong(unit) ? [visibleText(unit.unit)] : []),
    lines[index] ?? '',
    ...below(unit, now, shown.includes(LAST_END)).flatMap((words) =>
      folded(visibleText(words), width - GAP).map((line) => `  ${line}`),
    ),
  ])
  return [head, ...rows].map((line) => fitWidth(line, width)).join('\n')
}

function tableOf(shown: readonly Column[], units: readonly MeasuredUnit[], now: number): readonly string[] {
  const rows = units.map((unit) => shown.map(({ cell }) => cell(unit, now)))
  return columns([shown.map(({ heading }) => heading), ...rows]).split('\n')
}

/** As many columns as there is room for, and their table. */
function fitting(
  all: readonly Column[],
  units: readonly MeasuredUnit[],
  now: number,
  width: number,
): readonly [shown: readonly Column[], table: readonly string[]] {
  const fits = (shown: readonly Column[]) => tableOf(shown, units, now).every((line) => textWidth(line) <= width)
  let shown = LEAST
  for (const column of BESIDES) {
    const more = all.filter((each) => each === column || shown.includes(each))
    if (fits(more)) shown = more
  }
  return [shown, tableOf(shown, units, now)]
}

function below(unit: MeasuredUnit, now: number, hasLastEnd: boolean): readonly string[] {
  const { doing, state, ended } = unit
  return [
    ...(doing === undefined || doing === state ? [] : [doing]),
    ...restartWords(unit, now),
    ...(hasLastEnd || ended === undefined ? [] : [`last ended: ${ended}`]),
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
