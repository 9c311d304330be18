import { expect, it } from 'vitest'
import { createRetries } from './retries.ts'

it('tells of each failure and waits longer with each in a row, and not at all once it is over', async () => {
  const told: unknown[] = []
  const log = { warning: (...line: unknown[]) => void told.push(line) }
  const stopping = new AbortController()
  const most = { firstMs: 2, mostMs: 3, random: () => 1 }
  const retries = createRetries({ what: 'It waits', log, metadata: { topic: 'a' }, signal: stopping.signal, ...most })
  await retries.failed(new Error('no broker'))
  await retries.failed('gone')
  retries.succeeded()
  await retries.failed(new Error('no broker'))
  stopping.abort()
  await retries.failed(new Error('too late'))
  expect(told).toEqual([
    ['It waits: no broker', { topic: 'a', failures: 1, retry_in_ms: 2 }],
    ['It waits: gone', { topic: 'a', failures: 2, retry_in_ms: 3 }],
    ['It waits: no broker', { topic: 'a', failures: 1, retry_in_ms: 2 }],
  ])
})
