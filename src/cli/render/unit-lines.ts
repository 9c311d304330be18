import { createPaint, type Paint } from './paint.ts'
import { fitWidth, padWidth, textWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

/** A unit as it gets ready: a line of its own. */
export interface UnitLine {
  readonly name: string
  /** `ready` and `done` ones may be told of together where there is no room. */
  readonly is: 'waiting' | 'busy' | 'ready' | 'done' | 'failed'
  /** Such as `waiting for broker` or `ready in 40 ms`. */
  readonly words: string
}

/** What there is room for. */
export interface Room {
  readonly rows: number
  readonly columns: number
  readonly colour: boolean
  /** The mark of what is under way. */
  readonly spinner: string
}

/** Widest column of names; what is longer is cut. */
const MAX_NAME = 24

/**
 * A line a unit: a mark, the name, what it is about. No line is wider than there is room for, and there are no more of them: the ready ones become one
 * line then, and what is still too much is counted.
 * @example unitLines([{ name: 'user', is: 'ready', words: 'ready in 40 ms' }], room) // ['✔ user  ready in 40 ms']
 */
export function unitLines(units: readonly UnitLine[], room: Room): readonly string[] {
  const paint = createPaint(room.colour)
  const longest = Math.max(0, ...units.map(({ name }) => textWidth(visibleText(name))))
  const width = Math.min(longest, MAX_NAME, Math.max(1, Math.floor(room.columns / 2)))
  const line = (unit: UnitLine) => lineOf(unit, width, room, paint)
  if (units.length <= room.rows) return units.map(line)
  const isOver = ({ is }: UnitLine) => is === 'ready' || is === 'done'
  const over = units.filter(isOver).length
  const open = units.filter((unit) => !isOver(unit))
  const folded = over > 0 ? [fitWidth(`✔ ${over} of ${units.length} ready`, room.columns)] : []
  const left = Math.max(0, room.rows - folded.length)
  if (open.length <= left) return [...folded, ...open.map(line)]
  const shown = open.slice(0, Math.max(0, left - 1))
  const rest = left > 0 ? [fitWidth(`… and ${open.length - shown.length} more`, room.columns)] : []
  return [...folded, ...shown.map(line), ...rest]
}

function lineOf({ name, is, words }: UnitLine, width: number, { columns, spinner }: Room, paint: Paint): string {
  const said = fitWidth(visibleText(words), Math.max(0, columns - width - 4))
  const label = padWidth(visibleText(name), width)
  switch (is) {
    case 'waiting':
      return paint.dim(`· ${label}  ${said}`)
    case 'busy':
      return `${spinner} ${label}  ${said}`
    case 'failed':
      return `${paint.failure('✖')} ${label}  ${paint.failure(said)}`
    default:
      return `${paint.level('INFO', '✔')} ${label}  ${paint.dim(said)}`
  }
}
