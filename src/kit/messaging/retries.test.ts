import { expect, it } from 'vitest'
import { createRetries } from './retries.ts'

function retrying() {
  const told: unknown[] = []
  const line =
    (level: string) =>
    (...words: unknown[]) =>
      void told.push([level, ...words])
  const log = { debug: line('debug'), info: line('info'), warning: line('warning') }
  const stopping = new AbortController()
  const most = { firstMs: 2, mostMs: 3, random: () => 1 }
  let now = 0
  const retries = createRetries({
    ...{ what: 'It waits', log, metadata: { topic: 'a' }, signal: stopping.signal, ...most },
    clock: { monotonic: () => now },
  })
  const later = (ms: number) => {
    now += ms
  }
  return { told, retries, stopping, later }
}

it('waits longer with each failure in a row, and not at all once it is over', async () => {
  const { told, retries, stopping } = retrying()
  await retries.failed(new Error('no broker'))
  await retries.failed('gone')
  retries.succeeded()
  await retries.failed(new Error('no broker'))
  stopping.abort()
  await retries.failed(new Error('too late'))
  // what somebody else's start or restart takes is nobody's concern
  expect(told).toEqual([
    ['debug', 'It waits: no broker', { topic: 'a', failures: 1, retry_in_ms: 2 }],
    ['debug', 'It waits: gone', { topic: 'a', failures: 2, retry_in_ms: 3 }],
    ['debug', 'It waits: no broker', { topic: 'a', failures: 1, retry_in_ms: 2 }],
  ])
})

it('warns once of what goes on failing, and says when that is over', async () => {
  const { told, retries, later } = retrying()
  await retries.failed('gone')
  later(3_000)
  await retries.failed('gone')
  await retries.failed('gone')
  later(2_000)
  retries.succeeded()
  retries.succeeded()
  await retries.failed('gone')
  expect(told.map((line) => (Array.isArray(line) ? line.slice(0, 2) : line))).toEqual([
    ['debug', 'It waits: gone'],
    ['warning', 'It waits: gone'],
    ['debug', 'It waits: gone'],
    ['info', 'It waits no longer, after 5 s'],
    ['debug', 'It waits: gone'],
  ])
})
