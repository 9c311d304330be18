import type { Changes, UnitRow } from '../../kit/supervisor/control-protocol.ts'
import type { UnitReport } from '../../kit/supervisor/unit-state.ts'
import { changeLines } from '../render/change-lines.ts'
import type { Session } from '../session/session.ts'
import { unitRows } from './unit-reports.ts'

/** A unit of which somebody waits that it gets ready. */
type AwaitedUnit = Pick<UnitRow, 'unit' | 'state' | 'words'>

/** The exit code of a command that did what it was to do, and whose units failed (design §7). */
const FAILED = 1

/** Those of these units that have failed or still start. */
export function unreadyRows(reports: readonly UnitReport[], names: readonly string[]): readonly AwaitedUnit[] {
  return unitRows(reports)
    .filter((row) => names.includes(row.unit) && (hasFailed(row) || isStarting(row)))
    .map(({ unit, state, words }) => ({ unit, state, words }))
}

/** Prints what has changed of what runs, and tells of what didn't get ready. */
export function tellChanges(session: Session, changes: Changes): void {
  session.printJson(changes)
  session.print(changeLines(changes).join('\n'))
  tellUnready(session, changes.unready)
}

/** Says on stderr which units failed and which still start, a line each; where one has failed, the command ends with 1. */
export function tellUnready(
  { messages, endWith }: Pick<Session, 'messages' | 'endWith'>,
  units: readonly AwaitedUnit[],
): void {
  for (const row of units) {
    const { unit, state, words = state } = row
    if (hasFailed(row)) messages.error(`${unit}: ${words}`)
    if (isStarting(row)) messages.warn(`${unit} isn't ready yet: ${words}; msvc ps says how it goes on`)
  }
  if (units.some(hasFailed)) endWith(FAILED)
}

const hasFailed = ({ state }: AwaitedUnit): boolean => state === 'failed' || state === 'backing-off'

const isStarting = ({ state }: AwaitedUnit): boolean => state === 'waiting' || state === 'starting'
