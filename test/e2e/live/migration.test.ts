import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'

import { startNats } from '../../servers/nats.ts'
import { startPostgres } from '../../servers/postgres.ts'
import { isHere } from '../../servers/programs.ts'
import { startRedis } from '../../servers/redis.ts'
import { placeOrders } from '../order-load.ts'
import { settled } from '../platform-ledger.ts'
import { commandsIn } from '../running-platform.ts'

/** As many as other tests beside it leave room for; MSVC_ORDERS=200 on a machine that has nothing else to do. */
const PER_SECOND = Number(process.env.MSVC_ORDERS ?? 60)
/** The bar for the pause, and for the longest answer, milliseconds; or twice what one takes before and after, where the machine is as busy as that. */
const LONGEST_MS = 2_000
const TIMEOUT_MS = 180_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-live-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const { msvc, up } = commandsIn(folder)

const hasAll = isHere('nats-server') && isHere('redis-server')

describe.skipIf(!isHere('postgres'))('a platform that moves to servers while it takes orders', () => {
  it.for([
    { what: 'the stores', onServers: false },
    ...(hasAll ? [{ what: 'the stores, the bus and the cache', onServers: true }] : []),
  ])(
    '$what: fails no request, keeps none waiting for 2 s, and has every order, paid once',
    {
      timeout: TIMEOUT_MS,
    },
    async ({ onServers }) => {
      await using postgres = await startPostgres()
      await using nats = onServers ? await startNats() : undefined
      await using redis = onServers ? await startRedis() : undefined
      const data = onServers ? 'all' : 'stores'
      await using platform = await up(data)
      const token = await msvc(data, 'token', '--subject', 'ann', '--scope', 'users:write,orders:write')
      const load = await placeOrders(platform.url('gateway'), token.trim(), PER_SECOND)
      await load.isWarm()
      const before = performance.now()
      await vi.waitUntil(() => performance.now() - before > 2_000, { timeout: 20_000 })
      const longestBefore = load.longest(before)
      const since = performance.now()
      const places = ['--store', postgres.url, ...(nats && redis ? ['--bus', nats.url, '--cache', redis.url] : [])]
      const said = JSON.parse(await msvc(data, 'migrate', '--live', '--json', ...places))
      const seen = load.taken.length
      await vi.waitUntil(() => load.taken.length >= seen + 2 * PER_SECOND, { timeout: 60_000 })
      // how long answers take there: a server asks for more of a busy machine than a file
      const after = performance.now()
      await vi.waitUntil(() => performance.now() - after > 2_000, { timeout: 20_000 })
      await load.stop()
      const usual = Math.round(Math.max(longestBefore, load.longest(after)))
      const longest = Math.round(load.longest(since))
      process.stdout.write(
        `${data}: ${said.rows} rows, ${said.messages} messages, ${load.taken.length} orders, paused ${said.paused_ms} ms (held after ${said.held_ms}, the last changes took ${said.copied_ms}, attempt ${said.attempts}), longest answer ${longest} ms (${usual} ms before and after)\n`,
      )
      expect(load.failed.slice(0, 5)).toEqual([])
      expect(said.differing).toEqual([])
      const { orders, ...rest } = await settled(platform)
      expect(load.taken.filter(({ id, product }) => orders.get(id) !== product)).toEqual([])
      expect(orders.size).toBe(load.taken.length)
      expect(rest).toEqual({ unpaid: 0, twice: 0, dead: 0 })
      expect(said.paused_ms).toBeLessThan(LONGEST_MS)
      expect(longest).toBeLessThan(Math.max(LONGEST_MS, 2 * usual))

      // a role that is started again begins where the platform lives
      const pid = platform.pid('order')
      process.kill(pid ?? 0, 'SIGKILL')
      await vi.waitUntil(() => platform.pid('order') !== undefined && platform.pid('order') !== pid, {
        timeout: 20_000,
      })
      expect((await settled(platform)).orders.size).toBe(load.taken.length)
      expect(platform.said()).toContain(`store: ${postgres.url.slice(0, 11)}`)
      await platform.stop()
      expect(readdirSync(join(folder, data)).filter((name) => name.startsWith('noting'))).toEqual([])

      // the old places are refused from now on
      await expect(up(data)).rejects.toThrow(/this platform has moved/)
    },
  )
})
