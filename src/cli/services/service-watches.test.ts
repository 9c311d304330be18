import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createServiceWatches } from './service-watches.ts'

function watched() {
  const dir = mkdtempSync(join(tmpdir(), 'msvc-watches-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const renewals: PromiseWithResolvers<void>[] = []
  const signals: AbortSignal[] = []
  const warned: string[] = []
  const said: string[] = []
  const stopped = new Set<string>()
  const watches = createServiceWatches({
    renew(_, signal) {
      signals.push(signal)
      const renewal = Promise.withResolvers<void>()
      renewals.push(renewal)
      return renewal.promise
    },
    isStopped: (service) => stopped.has(service),
    say: (words) => void said.push(words),
    warn: (words) => void warned.push(words),
  })
  onTestFinished(watches.close)
  const set = (patterns: readonly string[]) => watches.set([{ service: 'shop', dir, patterns }])
  return {
    watches,
    set,
    renewals,
    signals,
    warned,
    said,
    stopped,
    touch: (name = 'a.py') => writeFileSync(join(dir, name), `${Math.random()}`),
  }
}

it('renews a service once for changes that come meanwhile, and says why it could not', async () => {
  const { set, renewals, signals, warned, touch } = watched()
  set(['*.py'])
  touch()
  await vi.waitUntil(() => renewals.length === 1)
  touch()
  await new Promise((resolve) => setTimeout(resolve, 300))
  touch()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(renewals).toHaveLength(1)
  // whoever waits for what hangs needn't any more
  expect(signals[0]?.aborted).toBe(true)
  renewals[0]?.reject(new Error('broken'))
  await vi.waitUntil(() => renewals.length === 2)
  expect(warned).toEqual(['shop: unexpected Error: broken'])
  renewals[1]?.resolve()
  touch()
  await vi.waitUntil(() => renewals.length === 3)
  renewals[2]?.resolve()
})

it('watches what it is told last', async () => {
  const { watches, set, renewals, touch } = watched()
  set(['*.py'])
  set(['*.rb'])
  touch('a.py')
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(renewals).toHaveLength(0)
  touch('a.rb')
  await vi.waitUntil(() => renewals.length === 1)
  renewals[0]?.resolve()
  watches.set([])
  touch('b.rb')
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(renewals).toHaveLength(1)
})

it('does not say that it restarts a service that somebody has stopped', async () => {
  const { set, renewals, said, stopped, touch } = watched()
  set(['*.py'])
  stopped.add('shop')
  touch()
  await vi.waitUntil(() => renewals.length === 1)
  expect(said).toEqual([])
  stopped.clear()
  renewals[0]?.resolve()
  touch()
  await vi.waitUntil(() => renewals.length === 2)
  expect(said).toEqual(['a.py has changed: shop is restarted'])
  renewals[1]?.resolve()
})
