import type { KeyedVerdict } from './keyed.ts'
import type { Verdict } from './orders.ts'
import type { Suffered } from './outages.ts'

/** Until a role is back, and from then until the first success, milliseconds. */
const BAR_MS = 2_000
/** From when a server is back, or goes on, until the first success. */
const SERVER_BAR_MS = 5_000
const OF_SERVERS: readonly string[] = ['restart', 'hang']

/** What was found of orders, and of messages by key where those were watched. */
type Found = Verdict & Partial<KeyedVerdict>

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
export function verdictTable(verdicts: ReadonlyMap<string, Found>): string {
  const rows = [...verdicts].map(([loop, { sent, taken, lost, chargedTwice, pending, deadLetters, ...keyed }]) => {
    const { published = '-', missing = '-', overtook = '-' } = keyed
    return [loop, sent, taken, lost, chargedTwice, pending, deadLetters, published, missing, overtook].map(String)
  })
  const orders = ['SENT', 'TAKEN', 'LOST', 'TWICE', 'PENDING', 'DEAD']
  return columns([['LOOP', ...orders, 'KEYED', 'MISSING', 'OVERTOOK'], ...rows])
}

/** Every bar that was missed. */
export function missed(suffered: readonly Suffered[], verdicts: ReadonlyMap<string, Found>): readonly string[] {
  const figures = suffered.flatMap(({ fault, backMs = 0, takenMs, paidMs }) =>
    Object.entries({ back: backMs, taken: takenMs, paid: paidMs }).map(([what, ms]) => ({
      name: `${fault.kind} ${fault.target}: ${what}`,
      ms,
      bar: OF_SERVERS.includes(fault.kind) ? SERVER_BAR_MS : BAR_MS,
    })),
  )
  const late = Map.groupBy(
    figures.filter(({ ms, bar }) => ms > bar),
    ({ name }) => name,
  )
  const tardy = [...late].map(
    ([name, faults]) => `${name} too late ${faults.length} times, at worst (ms): ${worst(faults.map(({ ms }) => ms))}`,
  )
  const wrong = [...verdicts].flatMap(
    ([loop, { lost, chargedTwice, pending, deadLetters, missing = 0, overtook = 0 }]) =>
      Object.entries({ lost, 'charged twice': chargedTwice, pending, dead: deadLetters, missing, overtook })
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
