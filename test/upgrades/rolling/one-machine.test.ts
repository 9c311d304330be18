import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, inject, it, vi } from 'vitest'
import { unpackRelease } from '../../../release/keepsakes.ts'
import { VERSION } from '../../../src/cli/session/version.ts'
import { type OrderLoad, placeOrders } from '../../e2e/order-load.ts'
import { commandsIn, type RunningPlatform } from '../../e2e/running-platform.ts'
import { failed, load } from '../../e2e/steady-load.ts'
import { keptVersions } from '../kept-versions.ts'
import { makeNextVersion, NEXT_MIGRATION } from '../next-version.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-upgrade-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** So often the hand-over by the kept version is tried. */
const TRIES = 3

/** Where the platform's program lies, whatever its version. */
const place = join(folder, 'msvc.cjs')

/** Puts a program in its place as an installer does: at once, under whoever runs it. */
function put(program: string): void {
  copyFileSync(program, `${place}.new`)
  renameSync(`${place}.new`, place)
}

/** Becomes what lies at its place. */
const upgrade = async (msvc: ReturnType<typeof commandsIn>['msvc'], data: string, platform: RunningPlatform) =>
  JSON.parse(
    await msvc(data, 'upgrade', '--json').catch((cause: Error) => {
      throw new Error(platform.said(), { cause })
    }),
  ) as unknown

/** Asserts that each order a client got a 201 for is there, and paid in the end. */
async function expectPaid({ taken }: Pick<OrderLoad, 'taken'>, gateway: string, token: string) {
  const headers = { authorization: `Bearer ${token}` }
  const unpaid = async () => {
    const states = await Promise.all(
      taken.map(async ({ id, product }) => {
        const answer = await fetch(`${gateway}/gateway/api/orders/${id}`, { headers })
        const order = JSON.parse(await answer.text())
        return { status: order.status, isIt: order.product_name === product }
      }),
    )
    return states.filter(({ status, isIt }) => status !== 'paid' || !isIt)
  }
  expect(taken.length).toBeGreaterThan(20)
  await expect.poll(unpaid, { timeout: 60_000, interval: 500 }).toEqual([])
}

it('serves every request of 50 a second while the platform becomes another version', { timeout: 600_000 }, async () => {
  const { program, version } = await unpackRelease(keptVersions().at(-1) ?? '', mkdtempSync(join(folder, 'kept-')))
  let lost: readonly unknown[] = []
  // the version before can't be mended any more: what comes to the sockets that it closes is reset where a busy machine has it wait in that very moment (accepting.ts)
  for (let n = 0; n < TRIES; n++) {
    lost = await lostOnTheWay(`data-${n}`, program, version)
    if (lost.length === 0) break
  }
  expect(lost).toEqual([])
})

/** Has a platform of another version become this one under load. Gives what failed. */
async function lostOnTheWay(data: string, program: string, version: string): Promise<readonly unknown[]> {
  put(program)
  const { msvc, up } = commandsIn(folder, '', place)
  await using platform = await up(data)
  const gateway = platform.url('gateway')
  const scopes = 'users:write,orders:read,orders:write'
  const token = (await msvc(data, 'token', '--subject', 'ann', '--scope', scopes)).trim()
  const orders = await placeOrders(gateway, token, 10)
  await orders.isWarm()
  const reads = load(`${gateway}/gateway/api/users`, 40)
  await vi.waitUntil(() => reads.answers.length > 50, { timeout: 20_000 })
  put(inject('program'))
  expect(await upgrade(msvc, data, platform)).toEqual({ from: version, to: VERSION, pid: platform.child.pid })
  const since = reads.answers.length
  await vi.waitUntil(() => reads.answers.length > since + 100, { timeout: 30_000 })
  await Promise.all([reads.stop(), orders.stop()])
  await expectPaid(orders, gateway, token)
  return [...orders.failed, ...failed(reads.answers)]
}

/** A service of a user's that takes a while to start. */
const SHOP = `setTimeout(() => require('node:http').createServer((_, answer) => answer.end('shop'))
  .listen(process.env.PORT, process.env.HOST), 700)`
const SERVICES = `services:
  shop: { run: ${JSON.stringify([process.execPath, '--eval', SHOP])}, route: { path: /shop, methods: { GET: public } } }
  behind: { run: ${JSON.stringify([process.execPath, '--eval', SHOP])}, needs: [gateway] }
`

it('serves every request to a service of a user’s while the platform becomes the next version, again and again', {
  timeout: 400_000,
}, async () => {
  const next = await makeNextVersion(join(folder, 'next'))
  put(inject('program'))
  const { msvc, up } = commandsIn(folder, SERVICES, place)
  await using platform = await up('own')
  const gateway = platform.url('gateway')
  await vi.waitUntil(async () => (await fetch(`${gateway}/shop`)).status === 200, { timeout: 20_000, interval: 50 })
  const reads = load(`${gateway}/gateway/api/users`, 20)
  const visits = load(`${gateway}/shop`, 20)
  await vi.waitUntil(() => visits.answers.length > 50, { timeout: 20_000 })
  put(next.program)
  const { pid } = platform.child
  expect(await upgrade(msvc, 'own', platform)).toEqual({ from: VERSION, to: next.version, pid })
  expect(await upgrade(msvc, 'own', platform)).toEqual({ from: next.version, to: next.version, pid })
  const since = visits.answers.length
  await vi.waitUntil(() => visits.answers.length > since + 50, { timeout: 30_000 })
  await Promise.all([reads.stop(), visits.stop()])
  expect(failed(visits.answers), platform.said()).toEqual([])
  expect(failed(reads.answers), platform.said()).toEqual([])
  using users = new DatabaseSync(join(folder, 'own/user-service.db'), { readOnly: true })
  expect(users.prepare('select name from kysely_migration order by name desc').get()).toEqual({ name: NEXT_MIGRATION })
})
