import { vi } from 'vitest'
import type { RunningPlatform } from './running-platform.ts'

/** Every row of a list that comes page by page. */
async function all<T extends { readonly id: number | string }>(url: string): Promise<T[]> {
  const rows: T[] = []
  for (;;) {
    const after = rows.at(-1)?.id
    const answer = await fetch(`${url}?limit=100${after === undefined ? '' : `&after=${after}`}`)
    const page: T[] = JSON.parse(await answer.text())
    rows.push(...page)
    if (page.length === 0) return rows
  }
}

/** What the platform has, once nothing is under way. */
export async function settled(platform: RunningPlatform) {
  const orders = () => all<{ id: number; product_name: string; status: string }>(`${platform.url('order')}/api/orders`)
  const isSettled = async () => (await orders()).every(({ status }) => status !== 'pending')
  await vi.waitUntil(isSettled, { timeout: 60_000, interval: 500 })
  const payments = await all<{ id: string; order_id: number }>(`${platform.url('payment')}/api/payments`)
  const letters = await fetch(`${platform.url('broker')}/broker/dead-letters?limit=100`)
  const { dead_letters: dead }: { dead_letters: unknown[] } = JSON.parse(await letters.text())
  const charges = Map.groupBy(payments, ({ order_id: id }) => id)
  return {
    orders: new Map((await orders()).map(({ id, product_name: product }) => [id, product])),
    unpaid: (await orders()).filter(({ id }) => !charges.has(id)).length,
    twice: [...charges.values()].filter(({ length }) => length > 1).length,
    dead: dead.length,
  }
}
