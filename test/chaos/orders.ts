import { setTimeout as delay } from 'node:timers/promises'
import type { Platform } from './platform.ts'

/** An order that a client got a 201 for. */
interface Taken {
  readonly id: number
  /** What the client asked for, in a name that no other order has. */
  readonly product: string
}

/** What the client's ledger says at the end, beside what the stores hold. */
export interface Verdict {
  readonly sent: number
  readonly taken: number
  /** Acknowledged, and not there, or there as another. */
  readonly lost: number
  readonly chargedTwice: number
  readonly pending: number
  readonly deadLetters: number
}

/** Clients that place orders through the gateway, each once, and what they were told. */
export interface Orders {
  /** Resolves with the first order that is acknowledged from now on. */
  nextTaken(): Promise<Taken>
  /** Resolves when an order is paid. */
  paid(order: Taken): Promise<void>
  /** No further orders; those under way are waited for. */
  stop(): Promise<void>
  /** Compares what was acknowledged with what is there. */
  judge(): Promise<Verdict>
}

const TIMEOUT_MS = 15_000
const LOOK_MS = 20

/** Begins to place orders, so many a second whatever becomes of them. */
export async function placeOrders(platform: Platform, perSecond: number): Promise<Orders> {
  const headers = { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' }
  const gateway = (path: string, init: RequestInit = {}) =>
    fetch(`${platform.url('gateway')}${path}`, { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  const user = { username: 'chaos', email: 'chaos@example.com' }
  const made = await gateway('/gateway/api/users', { method: 'POST', body: JSON.stringify(user) })
  const { id: userId }: { id: number } = JSON.parse(await made.text())

  const ledger = new Map<string, Taken>()
  const waiting = new Set<(order: Taken) => void>()
  const underWay = new Set<Promise<void>>()
  let sent = 0

  async function place(product: string) {
    const order = { user_id: userId, product_name: product, quantity: 1 }
    try {
      const answer = await gateway('/gateway/api/orders', { method: 'POST', body: JSON.stringify(order) })
      const text = await answer.text()
      if (answer.status !== 201) return
      const taken: Taken = { id: JSON.parse(text).id, product }
      ledger.set(product, taken)
      for (const tell of waiting) tell(taken)
      waiting.clear()
    } catch {
      // refused, cut off or too late: not acknowledged
    }
  }

  const clock = setInterval(() => {
    const one = place(`chaos-${sent++}`).finally(() => underWay.delete(one))
    underWay.add(one)
  }, 1_000 / perSecond)

  return {
    nextTaken: () => new Promise((resolve) => waiting.add(resolve)),
    async paid({ id }) {
      for (;;) {
        const answer = await gateway(`/gateway/api/orders/${id}`).catch(() => undefined)
        const text = (await answer?.text().catch(() => undefined)) ?? ''
        if (answer?.status === 200 && JSON.parse(text).status === 'paid') return
        await delay(LOOK_MS)
      }
    },
    async stop() {
      clearInterval(clock)
      await Promise.all(underWay)
    },
    async judge() {
      const orders = await all<{ id: number; product_name: string; status: string }>(
        `${platform.url('order')}/api/orders`,
      )
      const payments = await all<{ id: string; order_id: number; status: string }>(
        `${platform.url('payment')}/api/payments`,
      )
      const letters = await fetch(`${platform.url('broker')}/broker/dead-letters?limit=100`)
      const { dead_letters: dead }: { dead_letters: unknown[] } = JSON.parse(await letters.text())
      const products = new Map(orders.map(({ id, product_name: product }) => [id, product]))
      const charges = Map.groupBy(
        payments.filter(({ status }) => status === 'success'),
        ({ order_id: id }) => id,
      )
      return {
        sent,
        taken: ledger.size,
        lost: [...ledger.values()].filter(({ id, product }) => products.get(id) !== product).length,
        chargedTwice: [...charges.values()].filter(({ length }) => length > 1).length,
        pending: orders.filter(({ status }) => status === 'pending').length,
        deadLetters: dead.length,
      }
    },
  }
}

/** Every row of a list that comes page by page. */
async function all<T extends { readonly id: number | string }>(url: string): Promise<T[]> {
  const rows: T[] = []
  for (;;) {
    const after = rows.at(-1)?.id
    const answer = await fetch(`${url}?limit=100${after === undefined ? '' : `&after=${after}`}`)
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
    const page: T[] = JSON.parse(await answer.text())
    rows.push(...page)
    if (page.length === 0) return rows
  }
}
