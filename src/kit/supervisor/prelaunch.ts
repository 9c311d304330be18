import type { Launch, Member } from './member.ts'

/** Copies of roles launched before anyone knows what they are to do: they boot while that is found out. */
export interface Prelaunched {
  /** Gives the copy launched ahead, once; launches a new one for a unit that has none, or had one. */
  readonly launch: Launch
  /** Ends the copies that nobody took. */
  dismiss(): void
}

/** Launches units ahead. */
export function prelaunch(
  launch: Launch,
  units: readonly { readonly role: string; readonly unit: string }[],
): Prelaunched {
  const waiting = new Map<string, Member>(units.map(({ role, unit }) => [unit, launch(role, unit)]))
  return {
    launch(role, unit) {
      const member = waiting.get(unit) ?? launch(role, unit)
      waiting.delete(unit)
      return member
    },
    dismiss() {
      for (const member of waiting.values()) member.kill()
      waiting.clear()
    },
  }
}
