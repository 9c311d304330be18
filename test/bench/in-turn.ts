import { type Load, measure } from './load.ts'

export const ROUNDS = 5

interface InTurnOptions {
  /** Runs after each measurement. */
  readonly between?: (name: string) => Promise<unknown>
  /** How many rounds. Default `ROUNDS`. */
  readonly count?: number
}

/**
 * Measures several things in turn, A B C A B C …, so that a change of the machine's speed meets all of them alike. Gives each one's requests a second by
 * round. Throws when a request fails.
 */
export async function inTurn(
  wrk: string,
  loads: Readonly<Record<string, Load>>,
  { between = async () => {}, count = ROUNDS }: InTurnOptions = {},
): Promise<Record<string, number[]>> {
  const rounds: Record<string, number[]> = {}
  for (const [name, load] of Object.entries(loads)) {
    await measure(wrk, { ...load, seconds: load.warmUpSeconds ?? 2 })
    await between(name)
  }
  for (let round = 0; round < count; round++) {
    for (const [name, load] of Object.entries(loads)) {
      const { perSecond, failed, p50Ms, p99Ms } = await measure(wrk, load)
      if (failed > 0) throw new Error(`${name}: ${failed} requests failed`)
      rounds[name] = [...(rounds[name] ?? []), perSecond]
      console.error(`  ${name}: ${perSecond.toLocaleString('en')}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms`)
      await between(name)
    }
  }
  return rounds
}
