import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

/** One bar of the bench: what was measured, against what, and whether it is met. */
export interface Bar {
  readonly name: string
  /** The figure held against the bar: a ratio, or a rate. */
  readonly figure: number
  readonly bar: { readonly atLeast: number } | { readonly atMost: number }
  /** All figures of all rounds, by who was measured. */
  readonly rounds: Readonly<Record<string, readonly number[]>>
  readonly note?: string
}

export const isMet = ({ figure, bar }: Bar): boolean =>
  'atLeast' in bar ? figure >= bar.atLeast : figure <= bar.atMost

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** The median of the rounds' ratios, to two places: two things measured right after one another met the same machine. */
export function ratio(rounds: Readonly<Record<string, readonly number[]>>, ours: string, theirs: string): number {
  const others = rounds[theirs] ?? []
  const ratios = (rounds[ours] ?? []).map((rate, round) => rate / (others[round] ?? Number.NaN))
  return Math.round(median(ratios) * 100) / 100
}

/**
 * Prints the bars with the machine they were measured on.
 * @param write whether to write them to `folder` too: only a whole run is a result
 */
export function report(bars: readonly Bar[], folder: string, write: boolean): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const processors = cpus()
  const lines = bars.flatMap((bar) => {
    const verdict = isMet(bar) ? 'met' : 'MISSED'
    const limit =
      'atLeast' in bar.bar
        ? `at least ${bar.bar.atLeast.toLocaleString('en')}`
        : `at most ${bar.bar.atMost.toLocaleString('en')}`
    const rates = Object.entries(bar.rounds).map(
      ([who, values]) => `  ${who.padEnd(34)} ${values.map((value) => value.toLocaleString('en')).join('  ')}`,
    )
    return [
      `${verdict.padEnd(6)} ${bar.name}: ${bar.figure.toLocaleString('en')} (${limit})`,
      ...rates,
      ...(bar.note ? [`  ${bar.note}`] : []),
    ]
  })
  const head = [
    `commit ${commit}, Node ${process.version}, ${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, figures of each round: requests a second unless said otherwise`,
  ]
  const text = [...head, ...lines].join('\n')
  console.log(text)
  if (!write) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'latest.txt'), `${text}\n`)
  writeFileSync(join(folder, 'latest.json'), `${JSON.stringify({ commit, node: process.version, bars }, null, 2)}\n`)
}
