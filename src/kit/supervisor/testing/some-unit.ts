import { expect } from 'vitest'
import type { Unit } from '../unit.ts'

/** For tests that start nothing: an essential unit that needs nobody, with what the test says besides. */
export function someUnit(name: string, more: Partial<Unit> = {}): Unit {
  return {
    name,
    replicaOf: name,
    needs: [],
    definition: '',
    essential: true,
    livenessMs: 30_000,
    drainMs: 0,
    provenMs: 0,
    restartBudget: Number.POSITIVE_INFINITY,
    afterEnd: () => 'again',
    launch: () => expect.fail('it is launched'),
    ...more,
  }
}
