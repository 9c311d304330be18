import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Filling } from '../../release/filled-folder.ts'
import { unpackRelease } from '../../release/keepsakes.ts'
import { commandsIn, type RunningPlatform } from '../e2e/running-platform.ts'
import { keptVersions } from './kept-versions.ts'

const TIMEOUT_MS = 120_000

interface Version {
  readonly values?: Readonly<Record<string, { readonly value: object }>>
}

/** What a platform has of that which was put into its folder, in the same form. */
async function filled(platform: RunningPlatform, given: Filling): Promise<Filling> {
  const get = async (role: string, path: string) => {
    const answer = await fetch(`${platform.url(role)}${path}`)
    expect(answer.status, path).toBe(200)
    return JSON.parse(await answer.text())
  }
  const users: { username: string }[] = await get('user', '/api/users?limit=100')
  const orders: Filling['orders'] = await get('order', '/api/orders?limit=100')
  const payments: { order_id: number; status: string }[] = await get('payment', '/api/payments?limit=100')
  expect(payments.map(({ order_id: id }) => id).toSorted()).toEqual(orders.map(({ id }) => id).toSorted())
  const { versions }: { versions: Version[] } = await get(
    'config-server',
    '/config/order-service/development/history?values=true',
  )
  const { entries }: { entries: { message: string }[] } = await get('log-server', '/logs?service=shop')
  const { trace_id: trace }: { trace_id: string } = await get('log-server', `/traces/${given.trace}`)
  const { subscriptions }: { subscriptions: { id: string; topic: string; group?: string }[] } = await get(
    'broker',
    '/broker/subscriptions',
  )
  const till = subscriptions.find(({ topic, group }) => topic === 'shop.opened' && group === 'till')
  const pulled = await fetch(`${platform.url('broker')}/broker/subscriptions/${till?.id}/pull?max=10`, {
    method: 'POST',
  })
  const { messages }: { messages: { id: string }[] } = JSON.parse(await pulled.text())
  const { dead_letters: dead }: { dead_letters: { id: string }[] } = await get('broker', '/broker/dead-letters')
  const { delayed: waiting }: { delayed: { id: string }[] } = await get('broker', '/broker/delayed?limit=100')
  return {
    users: users.map(({ username }) => username).filter((name) => given.users.includes(name)),
    orders: orders.map(({ id, status }) => ({ id, status })),
    prices: versions.toReversed().flatMap(({ values }) => values?.prices?.value ?? []),
    trace,
    entry: entries.find(({ message }) => message === given.entry)?.message ?? '',
    unread: messages.map(({ id }) => id),
    dead: dead.map(({ id }) => id).join(),
    delayed: waiting.map(({ id }) => id).join(),
  }
}

it('knows a version at least', () => {
  expect(keptVersions()).not.toEqual([])
})

it.each(keptVersions())(
  'opens the data folder and the backup of %s, with all that is in them',
  { timeout: TIMEOUT_MS },
  async (kept) => {
    const folder = mkdtempSync(join(tmpdir(), `msvc-kept-${basename(kept)}-`))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const { filling } = await unpackRelease(kept, folder)
    const { up, msvc } = commandsIn(folder)
    {
      await using platform = await up('data')
      expect(await filled(platform, filling)).toEqual(filling)
      await platform.stop()
    }
    await msvc('restored', 'restore', 'backup.tar.gz')
    await using platform = await up('restored')
    expect(await filled(platform, filling)).toEqual(filling)
  },
)
