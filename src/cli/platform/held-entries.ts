import type { LogEntry } from '../../kit/telemetry/log.ts'

/** Entries that would only be in the way while a platform starts. */
export interface HeldEntries {
  /** Shows an entry, or keeps it until it is of use. */
  take(unit: string, entry: LogEntry): void
  /** Shows what a unit said last, since it has ended: the first time alone, or one that ends again and again would fill the screen. */
  explain(unit: string): void
  /**
   * From now on everything is shown; before that, what was kept of these units.
   * @param now RFC 3339. What the others wrote before is of no use any more, however late it comes
   */
  release(units: ReadonlySet<string>, now: string): void
}

/** Most entries kept of a unit: its last ones. */
const MOST = 20

/** Makes what holds back entries of DEBUG and INFO until they are released. */
export function createHeldEntries(show: (unit: string, entry: LogEntry) => void): HeldEntries {
  const held = new Map<string, readonly LogEntry[]>()
  const explained = new Set<string>()
  let released: { readonly units: ReadonlySet<string>; readonly at: string } | undefined

  return {
    take(unit, entry) {
      const isUsual = entry.level === 'INFO' || entry.level === 'DEBUG'
      if (isUsual && !released) held.set(unit, [...(held.get(unit) ?? []), entry].slice(-MOST))
      else if (!isUsual || !released || released.units.has(unit) || entry.timestamp >= released.at) show(unit, entry)
    },
    explain(unit) {
      if (!explained.has(unit)) for (const entry of held.get(unit) ?? []) show(unit, entry)
      explained.add(unit)
      held.delete(unit)
    },
    release(units, now) {
      released = { units, at: now }
      const kept = [...held].flatMap(([unit, entries]) =>
        units.has(unit) ? entries.map((entry) => ({ unit, entry })) : [],
      )
      held.clear()
      const inTime = kept.toSorted((a, b) => (a.entry.timestamp < b.entry.timestamp ? -1 : 1))
      for (const { unit, entry } of inTime) show(unit, entry)
    },
  }
}
