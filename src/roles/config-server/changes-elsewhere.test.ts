import { afterEach, expect, it } from 'vitest'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { followChangesElsewhere } from './changes-elsewhere.ts'
import type { ConfigChange } from './configs.ts'
import { closeAll, closing, DEV, run } from './testing/running-routes.ts'

afterEach(closeAll)

it('hears of a change though the ring for it got lost, once', async () => {
  const { store, put } = await run()
  await put(DEV, { before: 1 })
  const heard: ConfigChange[] = []
  const listeners: ((change: ConfigChange) => void)[] = [(change) => void heard.push(change)]
  const configs = {
    onChange: (listener: (change: ConfigChange) => void) => {
      listeners.push(listener)
      return () => {}
    },
    tell: (change: ConfigChange) => {
      for (const listener of listeners) listener(change)
    },
  }
  const stop = new AbortController()
  closing.push(() => stop.abort())
  const deaf = { db: store.db, ring: () => {}, onRing: () => () => {} }
  await followChangesElsewhere({ configs, store: deaf, log: silentLog, signal: stop.signal, lookMs: 20 })
  await put(`${DEV}/a`, 1)
  const keys = () => heard.map((change) => change.keys)
  await expect.poll(keys).toEqual([['a']])
  await put(`${DEV}/b`, 1)
  await expect.poll(keys).toEqual([['a'], ['b']])
})
