import { describe, expect, it } from 'vitest'
import { type Attack, broken, figures, type Outcome, suffer } from './attack.ts'
import { bodyAttacks } from './body-attacks.ts'
import { connectionAttacks } from './connection-attacks.ts'
import { nameAttacks } from './name-attacks.ts'
import { questionAttacks } from './question-attacks.ts'
import { readerAttacks } from './reader-attacks.ts'

/** To add one, write it into the list of its kind. */
const ATTACKS: readonly Attack[] = [
  ...bodyAttacks,
  ...connectionAttacks,
  ...questionAttacks,
  ...readerAttacks,
  ...nameAttacks,
]

/** A machine that does something else for a moment looks like a role that gave way; it won't three times in a row. */
const ATTEMPTS = Number(process.env.ATTEMPTS ?? 3)

describe('a good client, and the memory of the role, beside', () => {
  it.each(ATTACKS)('$name ($role)', { timeout: 120_000 }, async (attack) => {
    let outcome: Outcome
    let attempts = 0
    do {
      outcome = await suffer(attack)
      process.stdout.write(`${attack.role}, ${attack.name}: ${figures(outcome)}\n`)
    } while (broken(outcome).length > 0 && ++attempts < ATTEMPTS)
    expect(broken(outcome), figures(outcome)).toEqual([])
  })
})
