import type { Unit } from './unit.ts'

/** What it takes for a running unit to become another of its name. */
export type UnitChangeover = 'none' | 'reload' | 'restart'

/** Compares a unit with what is to run under its name from now on. */
export function changeover(was: Unit, next: Unit): UnitChangeover {
  if (was.definition !== next.definition || hasMoved(was.addresses ?? {}, next.addresses ?? {})) return 'restart'
  return was.reloadable === next.reloadable ? 'none' : 'reload'
}

/** Whether somebody is elsewhere now than a unit was told. */
function hasMoved(was: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): boolean {
  return Object.entries(was).some(([name, address]) => Object.hasOwn(now, name) && now[name] !== address)
}
