import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createServiceWatches } from './service-watches.ts'

/** Watches over one folder; `renewals` are those of the shop. The till, where it is watched too, is renewed at once: by then the shop would have been told. */
function watched() {
  const dir = mkdtempSync(join(tmpdir(), 'msvc-watches-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const renewals: PromiseWithResolvers<void>[] = []
  const signals: AbortSignal[] = []
  const said: string[] = []
  const warned: string[] = []
  let tills = 0
  const stopped = new Set<string>()
  const watches = createServiceWatches({
    async renew(service, signal) {
      if (service === 'till') {
        tills++
        return
      }
      signals.push(signal)
      const renewal = Promise.withResolvers<void>()
      renewals.push(renewal)
      await renewal.promise
    },
    isStopped: (service) => stopped.has(service),
    say: (words) => void said.push(words),
    warn: (words) => void warned.push(words),
  })
  onTestFinished(watches.close)
  const touch = (name = 'a.py') => writeFileSync(join(dir, name), `${Math.random()}`)
  return {
    set: (...services: readonly (readonly [service: string, pattern: string])[]) =>
      watches.set(services.map(([service, pattern]) => ({ service, dir, patterns: [pattern] }))),
    renewals,
    signals,
    said,
    warned,
    stopped,
    touch,
    /** Touches a file of the till's, and waits until that is known. */
    async touchAndWait(name = 'a.py') {
      const before = tills
      touch(name)
      await vi.waitUntil(() => tills > before, { timeout: 20_000 })
    },
  }
}

it('renews a service once for changes that come meanwhile, and says why it could not', async () => {
  const { set, renewals, signals, warned, touch, touchAndWait } = watched()
  set(['shop', '*.py'], ['till', '*.py'])
  await touchAndWait()
  expect(renewals).toHaveLength(1)
  await touchAndWait()
  await touchAndWait()
  expect(renewals).toHaveLength(1)
  // whoever waits for what hangs needn't any more
  expect(signals[0]?.aborted).toBe(true)
  renewals[0]?.reject(new Error('broken'))
  await vi.waitUntil(() => renewals.length === 2, { timeout: 20_000 })
  expect(warned).toEqual(['shop: unexpected Error: broken'])
  renewals[1]?.resolve()
  touch()
  await vi.waitUntil(() => renewals.length === 3, { timeout: 20_000 })
  renewals[2]?.resolve()
})

it('watches what it is told last', async () => {
  const { set, renewals, said, touch, touchAndWait } = watched()
  set(['shop', '*.py'])
  set(['shop', '*.rb'], ['till', '*.rb'])
  touch('a.py')
  await touchAndWait('a.rb')
  expect(said.filter((words) => words.includes('shop'))).toEqual(['a.rb has changed: shop is restarted'])
  renewals[0]?.resolve()
  set(['till', '*.rb'])
  await touchAndWait('b.rb')
  await touchAndWait('c.rb')
  expect(renewals).toHaveLength(1)
})

it('does not say that it restarts a service that somebody has stopped', async () => {
  const { set, renewals, said, stopped, touch } = watched()
  set(['shop', '*.py'])
  stopped.add('shop')
  touch()
  await vi.waitUntil(() => renewals.length === 1, { timeout: 20_000 })
  expect(said).toEqual([])
  stopped.clear()
  renewals[0]?.resolve()
  touch()
  await vi.waitUntil(() => renewals.length === 2, { timeout: 20_000 })
  expect(said).toEqual(['a.py has changed: shop is restarted'])
  renewals[1]?.resolve()
})
