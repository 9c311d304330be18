import type { LaunchedRole, LaunchRole } from './role-unit.ts'

/** Replicas of roles launched before anyone knows what they are to do: they boot while that is found out. */
export interface Prelaunched {
  /** Gives the replica launched ahead, once; launches a new one for a unit that has none, or had one. */
  readonly launch: LaunchRole
  /** Ends the replicas that nobody took. */
  dismiss(): void
}

/** Launches units ahead. */
export function prelaunch(
  launch: LaunchRole,
  units: readonly { readonly role: string; readonly unit: string }[],
): Prelaunched {
  const waiting = new Map<string, LaunchedRole>(units.map(({ role, unit }) => [unit, launch(role, unit)]))
  return {
    launch(role, unit) {
      const launched = waiting.get(unit) ?? launch(role, unit)
      waiting.delete(unit)
      return launched
    },
    dismiss() {
      for (const launched of waiting.values()) launched.kill()
      waiting.clear()
    },
  }
}
