import type { Verdict } from './orders.ts'
import type { Suffered } from './outages.ts'

/** Until a role is back, and from then until the first success, milliseconds. */
const BAR_MS = 2_000

/** What the faults of each kind did to each target, the worst of each. */
export function faultTable(suffered: readonly Suffered[]): string {
  const groups = Map.groupBy(suffered, ({ fault }) => `${fault.kind}\t${fault.target}`)
  const rows = [...groups].map(([name, faults]) => [
    ...name.split('\t'),
    String(faults.length),
    worst(faults.map(({ backMs }) => backMs)),
    worst(faults.map(({ takenMs }) => takenMs)),
    worst(faults.map(({ paidMs }) => paidMs)),
  ])
  return columns([['FAULT', 'OF', 'TIMES', 'BACK', 'TAKEN', 'PAID (worst, ms)'], ...rows])
}

/** What the ledger says of each loop. */
export function verdictTable(verdicts: ReadonlyMap<string, Verdict>): string {
  const rows = [...verdicts].map(([loop, { sent, taken, lost, chargedTwice, pending, deadLetters }]) =>
    [loop, sent, taken, lost, chargedTwice, pending, deadLetters].map(String),
  )
  return columns([['LOOP', 'SENT', 'TAKEN', 'LOST', 'TWICE', 'PENDING', 'DEAD'], ...rows])
}

/** Every bar that was missed. */
export function missed(suffered: readonly Suffered[], verdicts: ReadonlyMap<string, Verdict>): readonly string[] {
  const figures = suffered.flatMap(({ fault, backMs = 0, takenMs, paidMs }) =>
    Object.entries({ back: backMs, taken: takenMs, paid: paidMs }).map(([what, ms]) => ({
      name: `${fault.kind} ${fault.target}: ${what}`,
      ms,
    })),
  )
  const late = Map.groupBy(
    figures.filter(({ ms }) => ms > BAR_MS),
    ({ name }) => name,
  )
  const tardy = [...late].map(
    ([name, faults]) => `${name} too late ${faults.length} times, at worst (ms): ${worst(faults.map(({ ms }) => ms))}`,
  )
  const wrong = [...verdicts].flatMap(([loop, { lost, chargedTwice, pending, deadLetters }]) =>
    Object.entries({ lost, 'charged twice': chargedTwice, pending, dead: deadLetters })
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `${loop}: ${count} ${what}`),
  )
  return [...tardy, ...wrong]
}

function worst(figures: readonly (number | undefined)[]): string {
  const known = figures.filter((figure) => figure !== undefined)
  return known.length === 0 ? '-' : whole(Math.max(...known))
}

/** What never came in the time that it was waited for is so told. */
function whole(ms: number): string {
  return ms === Number.POSITIVE_INFINITY ? 'never' : String(Math.round(ms))
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
