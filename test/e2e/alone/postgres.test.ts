import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgres, UNSYNCED } from '../../servers/postgres.ts'
import { isHere } from '../../servers/programs.ts'
import { type Booted, boot } from '../boot.ts'

const ROLES = ['registry', 'config-server', 'broker', 'user', 'user-2', 'order', 'order-2', 'payment', 'payment-2']
/** How long a platform may be out of service after its database has come back. */
const BACK_MS = 5_000

interface Order {
  readonly id: number
  readonly product_name: string
  readonly status: string
}

interface Payment {
  readonly id: string
  readonly order_id: number
  readonly status: string
}

describe.skipIf(!isHere('postgres'))('a platform on PostgreSQL, with two each of users, orders and payments', () => {
  let server: PostgresServer
  let platform: Booted
  let token: string
  beforeAll(async () => {
    server = await startPostgres({ config: UNSYNCED })
    platform = await boot([...ROLES, 'gateway'], { platform: { store: server.url } })
    token = await platform.token('alice', 'users:write', 'orders:write', 'orders:read')
  })
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const send = (role: string, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    platform.fetch(role, path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    })
  const order = (product: string, key = crypto.randomUUID()) =>
    send(
      'gateway',
      '/gateway/api/orders',
      { user_id: 1, product_name: product, quantity: 1 },
      { 'idempotency-key': key },
    )

  /** Every row of a list that comes page by page. */
  async function all<T extends { readonly id: number | string }>(role: string, path: string): Promise<T[]> {
    const rows: T[] = []
    for (;;) {
      const after = rows.length === 0 ? '' : `&after=${rows.at(-1)?.id}`
      const page = (await (await platform.fetch(role, `${path}?limit=100${after}`)).json()) as T[]
      rows.push(...page)
      if (page.length === 0) return rows
    }
  }

  const payments = () => all<Payment>('payment', '/api/payments')

  it('pays each order once, whoever took it, and both of each see the same', async () => {
    const made = await Promise.all(Array.from({ length: 40 }, (_, at) => order(`Laptop ${at}`)))
    expect(new Set(made.map(({ status }) => status))).toEqual(new Set([201]))
    const ids = await Promise.all(made.map(async (answer) => ((await answer.json()) as Order).id))
    expect(new Set(ids).size).toBe(40)
    for (const role of ['order', 'order-2']) {
      const paid = async () => (await all<Order>(role, '/api/orders')).filter(({ status }) => status === 'paid').length
      await expect.poll(paid).toBe(40)
    }
    const charged = (await payments()).map(({ order_id: id }) => id)
    expect(charged.toSorted((a, b) => a - b)).toEqual(ids.toSorted((a, b) => a - b))
    const changed = await send('user', '/api/users', { username: 'zoe', email: 'zoe@example.com' })
    const { id } = (await changed.json()) as { id: number }
    expect((await platform.fetch('user-2', `/api/users/${id}`)).status).toBe(200)
    expect((await send('user-2', '/api/users', { username: 'Zoe', email: 'z@example.com' })).status).toBe(409)
  })

  it('makes one order of one Idempotency-Key, also when both are asked at once', async () => {
    for (let round = 0; round < 10; round++) {
      const key = crypto.randomUUID()
      const body = { user_id: 1, product_name: `Key ${round}`, quantity: 1 }
      const answers = await Promise.all(
        ['order', 'order-2', 'order', 'order-2'].map((role) =>
          send(role, '/api/orders', body, { 'idempotency-key': key }),
        ),
      )
      const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as Order).id))
      expect(new Set(ids).size, String(ids)).toBe(1)
      expect(ids[0]).toEqual(expect.any(Number))
    }
  })

  it('loses no acknowledged order and charges none twice when its database is killed under a stream of them', async () => {
    const acknowledged = new Map<number, string>()
    const statuses = new Map<number, number>()
    const backAfter = new Map<number, number>()
    const underWay = new Set<Promise<void>>()
    let sent = 0
    const place = async (product: string) => {
      const answer = await order(product).catch(() => undefined)
      statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1)
      if (answer?.status === 503) expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      if (answer?.status !== 201) return
      acknowledged.set(((await answer.json()) as Order).id, product)
    }
    const stream = setInterval(() => {
      const one = place(`stream ${sent++}`).finally(() => underWay.delete(one))
      underWay.add(one)
    }, 33)
    try {
      for (const awayMs of [300, 4_000, 300, 4_000]) {
        const before = acknowledged.size
        await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(before + 20)
        await server.kill()
        await sleep(awayMs)
        await server.start()
        const known = acknowledged.size
        const since = performance.now()
        await expect.poll(() => acknowledged.size, { timeout: 30_000, interval: 10 }).toBeGreaterThan(known)
        const took = performance.now() - since
        // the shorter of two: a machine may stand still for a while, but not each time
        backAfter.set(awayMs, Math.min(took, backAfter.get(awayMs) ?? took))
      }
    } finally {
      clearInterval(stream)
      await Promise.all(underWay)
    }
    for (const [awayMs, ms] of backAfter) expect(ms, `away for ${awayMs} ms`).toBeLessThan(BACK_MS)
    expect([...statuses.keys()].filter((status) => status !== 201 && status !== 503)).toEqual([])

    const settled = async () => (await all<Order>('order', '/api/orders')).every(({ status }) => status === 'paid')
    await expect.poll(settled, { timeout: 60_000, interval: 200 }).toBe(true)
    const orders = new Map((await all<Order>('order-2', '/api/orders')).map((kept) => [kept.id, kept.product_name]))
    const lost = [...acknowledged].filter(([id, product]) => orders.get(id) !== product)
    expect(lost).toEqual([])
    const charges = Map.groupBy(await payments(), ({ order_id: id }) => id)
    expect([...charges.values()].filter(({ length }) => length > 1)).toEqual([])
    expect(charges.size).toBe(orders.size)
  }, 240_000)
})
