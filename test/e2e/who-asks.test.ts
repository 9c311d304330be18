import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../../src/drivers/clock.ts'
import type { TokenRequest } from '../../src/kit/auth/authority.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { Order } from '../../src/roles/order/contract.ts'
import { type Booted, boot } from './boot.ts'

const idsOf = async (answer: Response) =>
  z
    .array(z.object({ id: z.int() }))
    .parse(await answer.json())
    .map(({ id }) => id)

const ORDERS = '/gateway/api/orders'
/** Orders and users open to anybody at the gateway, in every way. */
const OPEN = Object.fromEntries(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, 'public']))
const ROUTES = {
  users: { methods: OPEN },
  orders: { methods: OPEN },
  payments: { prefix: '/gateway/api/payments', upstream: 'payment-service', strip_prefix: '/gateway', methods: OPEN },
}
const PAYMENTS = '/gateway/api/payments'
const ORDER = JSON.stringify({ user_id: 1, product_name: 'Mouse', quantity: 1 })
const JSON_TYPE = { 'content-type': 'application/json' }

/** What a token may say of who shows it. */
type Marks = Pick<TokenRequest, 'service' | 'passesOn'>

/** Words about themselves that clients may try, in every spelling. */
const CLAIMS: readonly Record<string, string>[] = [
  {},
  { 'x-user-id': 'alice' },
  { x_user_id: 'alice', 'X.Caller': 'user' },
  { 'x-caller': 'user', 'x-user-id': 'root', 'x-user-scopes': 'admin' },
  { 'x-caller': 'service', 'x-user-id': 'payment-service', 'x-user-scopes': 'admin orders:read' },
  { 'x-caller': 'local' },
  { 'x-user-id': '' },
  { connection: 'x-caller, x-user-id, authorization' },
]

describe.each([
  ['local', 'api-gateway'],
  ['token', 'api-gateway'],
  // SERVICE_NAME: what tokens say of a service, its name among it, is the operator's choice
  ['token', 'edge'],
] as const)('behind a public route, in %s mode, of a gateway called %s', (mode, name) => {
  let platform: Booted
  let alices: number
  beforeAll(async () => {
    platform = await boot(['registry', 'broker', 'user', 'order', 'payment', 'gateway'], {
      platform: { auth: { mode, hosts: mode === 'token' ? ['127.0.0.1'] : [] } },
      sections: { gateway: { routes: ROUTES } },
      names: { gateway: name },
    })
    const made = await ask('POST', ORDERS, { headers: await bearer('alice'), body: ORDER })
    alices = Order.parse(await made.json()).id
  })
  afterAll(() => platform[Symbol.asyncDispose]())

  const ask = (method: string, path: string, init: RequestInit = {}) =>
    platform.fetch('gateway', path, { method, ...init, headers: { ...JSON_TYPE, ...init.headers } })
  const bearer = async (subject: string) => ({ authorization: `Bearer ${await platform.token(subject)}` })

  it.each(CLAIMS)(
    'nobody sees and changes nothing that is somebody’s, whatever he says of himself: %j',
    async (headers) => {
      expect(await (await ask('GET', ORDERS, { headers })).json()).toEqual([])
      expect((await ask('GET', `${ORDERS}?user_id=1`, { headers })).status).toBe(200)
      expect((await ask('GET', `${ORDERS}/${alices}`, { headers })).status).toBe(404)
      expect((await ask('DELETE', `${ORDERS}/${alices}`, { headers })).status).toBe(404)
      const post = await ask('POST', ORDERS, { headers: { ...headers, 'idempotency-key': 'k' }, body: ORDER })
      expect(post.status).toBe(401)
      for (const method of ['PUT', 'PATCH', 'DELETE']) {
        const body = method === 'DELETE' ? undefined : JSON.stringify({ username: 'taken', email: 'taken@example.com' })
        expect((await ask(method, '/gateway/api/users/2', { headers, ...(body && { body }) })).status, method).toBe(401)
      }
    },
  )

  it('each sees his own, also who is called "nobody"', async () => {
    for (const [subject, seen] of [
      ['alice', [alices]],
      ['nobody', []],
      ['bob', []],
    ] as const) {
      expect(await idsOf(await ask('GET', ORDERS, { headers: await bearer(subject) }))).toEqual(seen)
    }
  })

  it('each sees the payments of his own orders', async () => {
    const paymentsOf = async (headers: Record<string, string>) =>
      z.array(z.object({ order_id: z.int() })).parse(await (await ask('GET', PAYMENTS, { headers })).json())
    const [alice, bob] = [await bearer('alice'), await bearer('bob')]
    await expect.poll(() => paymentsOf(alice)).toEqual([{ order_id: alices }])
    expect(await paymentsOf(bob)).toEqual([])
    for (const headers of CLAIMS) expect(await paymentsOf(headers)).toEqual([])
  })

  it('gives one caller’s idempotency key no answer of another’s', async () => {
    const place = async (headers: Record<string, string>) => {
      const answer = await ask('POST', ORDERS, { headers: { ...headers, 'idempotency-key': 'same' }, body: ORDER })
      return answer.headers.get('idempotency-replayed') ?? answer.status
    }
    const [carol, dave] = [await bearer('carol'), await bearer('dave')]
    expect(await place(carol)).toBe(201)
    expect(await place(dave)).toBe(201)
    expect(await place({})).toBe(401)
    expect(await place(carol)).toBe('true')
  })

  it('joins a user with the orders of who asks', async () => {
    const joined = async (subject: string) => {
      const answer = await ask('GET', '/gateway/api/users/1/orders', { headers: await bearer(subject) })
      return idsOf(Response.json(z.object({ orders: z.unknown() }).parse(await answer.json()).orders))
    }
    expect(await joined('alice')).toEqual([alices])
    expect(await joined('bob')).toEqual([])
  })

  it('leaves the role’s own port as it is', async () => {
    if (mode === 'local') {
      expect(await idsOf(await platform.fetch('order', '/api/orders'))).toContain(alices)
      return
    }
    const authority = createAuthority({
      ...platform.settings.auth,
      folder: join(platform.settings.data, 'keys'),
      clock: systemClock,
    })
    const list = async (subject: string, marks: Marks, headers: Record<string, string> = {}) => {
      const scopes = ['orders:read']
      const token = await authority.mint({ subject, audience: 'order-service', scopes, ...marks })
      const answer = await platform.fetch('order', '/api/orders', {
        headers: { ...headers, authorization: `Bearer ${token}` },
      })
      return (await idsOf(answer)).length
    }
    const [service, passesOn] = [{ service: true }, { service: true, passesOn: true }]
    const asAlice = { 'x-caller': 'user', 'x-user-id': 'alice' }
    expect(await list('alice', {})).toBe(1)
    expect(await list('mallory', {}, asAlice)).toBe(0)
    expect(await list('mallory', { passesOn: true }, asAlice)).toBe(0)
    const all = await list('shop-service', service)
    expect(all).toBeGreaterThan(1)
    // a name makes nobody a gateway
    expect(await list('api-gateway', service, asAlice)).toBe(all)
    expect(await list(name, passesOn)).toBe(0)
    expect(await list(name, passesOn, { 'x-caller': 'nobody' })).toBe(0)
    expect(await list(name, passesOn, asAlice)).toBe(1)
  })
})
