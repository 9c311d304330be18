import { expect, it } from 'vitest'
import { Outage } from './outage.ts'

it('says once that a thing stays away, and once that it is back', () => {
  let now = 0
  const lines: string[] = []
  const say = (message: string, metadata?: Readonly<Record<string, unknown>>) =>
    void lines.push(message + (metadata?.cause ?? ''))
  const log = { debug: say, info: say, warning: say, error: say, critical: say }
  const outage = new Outage('the registry', log, { now: () => now, monotonic: () => now })

  outage.failed(new Error('refused'), 'waiting')
  outage.over()
  for (now of [0, 1_000, 2_999]) outage.failed(new Error('refused'), 'waiting')
  expect(lines).toEqual([])
  for (now of [3_000, 4_000, 60_000])
    outage.failed(new Error('fetch failed', { cause: new Error('refused') }), 'waiting')
  outage.over()
  outage.over()
  expect(lines).toEqual(['the registry is away: waitingrefused', 'the registry is back after 60 s'])
})
