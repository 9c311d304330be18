import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { controlAddress } from '../../../src/kit/supervisor/control-address.ts'
import { connectControl } from '../../../src/kit/supervisor/control-client.ts'
import { Done, Look, Moved } from '../../../src/kit/supervisor/control-protocol.ts'
import { placeOrders } from '../order-load.ts'
import { commandsIn } from '../running-platform.ts'

/** As many as the slowest machine has time for; MSVC_ORDERS=200 on one that is fast. */
const PER_SECOND = Number(process.env.MSVC_ORDERS ?? 60)
const MOVES = 5
/** Moves more where one of them took too long: a machine may stand still for a while, but not each time. */
const SPARE = 4
const LONGEST_MS = 2_000
/** After which a move is given up: long enough that one which takes too long is seen as that. */
const BUDGET_MS = 20_000
const TIMEOUT_MS = 240_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-moved-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const never = new AbortController().signal
const { msvc, up } = commandsIn(folder)

function rows(data: string, name: string, sql: string) {
  const database = new DatabaseSync(join(data, `${name}.db`), { timeout: 5_000 })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

/** Copies what nobody has open. */
function copyFolder(from: string, to: string) {
  mkdirSync(to, { mode: 0o700 })
  const files = readdirSync(from).filter((name) => /\.db(-wal)?$/.test(name))
  for (const name of files) copyFileSync(join(from, name), join(to, name))
  cpSync(join(from, 'keys'), join(to, 'keys'), { recursive: true })
}

describe.for([
  { how: 'a process a role', data: 'many', flags: [] },
  { how: 'all roles in one process', data: 'one', flags: ['--in-process'] },
])('a platform that moves to other folders while it takes orders, $how', ({ data, flags }) => {
  it('fails no request, keeps none waiting for 2 s, and has every order, paid once', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using platform = await up(data, ...flags)
    const token = await msvc(data, 'token', '--subject', 'ann', '--scope', 'users:write,orders:write')
    const load = await placeOrders(platform.url('gateway'), token.trim(), PER_SECOND)
    await load.isWarm()
    const control = await connectControl(controlAddress(join(folder, data)))
    const longest: number[] = []
    let place = join(folder, data)
    const soon = () => longest.filter((ms) => ms < LONGEST_MS).length
    for (let n = 1; n <= MOVES + SPARE && soon() < MOVES; n++) {
      const { places, ready } = await control.ask({ do: 'look' }, Look, never)
      expect({ ready, data: places.data }).toEqual({ ready: true, data: place })
      const to = { ...places, data: join(folder, `${data}-${n}`) }
      const since = performance.now()
      const id = `${data}-${n}`
      await control.ask({ do: 'hold', id, to, budget_ms: BUDGET_MS }, Done, never)
      const held = Math.round(performance.now() - since)
      copyFolder(place, to.data)
      const { paused_ms: paused } = await control.ask({ do: 'move', id }, Moved, never)
      place = to.data
      const seen = load.taken.length
      await vi.waitUntil(() => load.taken.length >= seen + PER_SECOND, { timeout: 30_000 })
      longest.push(load.longest(since))
      const times = `held after ${held} ms, paused ${Math.round(paused)} ms, longest answer ${Math.round(load.longest(since))} ms`
      process.stdout.write(`${id}: ${times}\n`)
    }
    control.close()
    await load.stop()
    expect(load.failed.slice(0, 5)).toEqual([])
    expect(soon(), longest.join()).toBe(MOVES)
    const count = (name: string, what: string) =>
      Number(rows(place, name, `select count(*) as count from ${what}`)[0]?.count)
    const isPaid = () => count('order-service', "orders where status = 'pending'") === 0
    await vi.waitUntil(isPaid, { timeout: 30_000, interval: 200 })
    await platform.stop()
    const orders = new Map(
      rows(place, 'order-service', 'select id, product_name from orders').map((row) => [row.id, row.product_name]),
    )
    expect(load.taken.filter(({ id, product }) => orders.get(id) !== product)).toEqual([])
    expect(count('payment-service', 'payments')).toBe(orders.size)
    expect(count('payment-service', '(select 1 from payments group by order_id having count(*) > 1)')).toBe(0)
    expect(count('bus', 'dead_letters')).toBe(0)
    expect(rows(place, 'order-service', 'pragma integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })
})
