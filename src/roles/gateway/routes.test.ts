import { afterEach, describe, expect, it } from 'vitest'
import { identityOf } from '../../kit/auth/asker.ts'
import type { ServiceClient } from '../../kit/client/service-client.ts'
import { AppError } from '../../kit/errors.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

const ALICE = { id: 1, username: 'alice' }
const ORDERS = [{ id: 7, user_id: 1, status: 'paid' }]

let gateway: GatewayUnderTest | undefined
afterEach(() => gateway?.[Symbol.asyncDispose]())

/** A service that answers every GET with what `answer` gives. */
function service(name: string, answer: (path: string, query: unknown) => unknown): ServiceClient {
  const never = () => Promise.reject(new Error('not expected'))
  return {
    service: name,
    get: async (path, options) => answer(path, options?.query),
    post: never,
    put: never,
    patch: never,
    delete: never,
    raw: never,
  }
}

async function ask(path: string, users: ServiceClient, orders: ServiceClient, headers: Record<string, string> = {}) {
  gateway = await startGateway({}, { clients: { 'user-service': users, 'order-service': orders } })
  return gateway.fetch(path, { headers: { authorization: await gateway.bearer(), ...headers } })
}

const users = service('user-service', () => ALICE)
const orders = service('order-service', () => ORDERS)
const failing = (error: AppError) =>
  service('x', () => {
    throw error
  })

describe('GET /gateway/api/users/:id/orders', () => {
  it('joins a user with its orders, asked for at once on behalf of the caller', async () => {
    const asked: unknown[] = []
    const note = (answer: unknown) => (path: string, query: unknown) => {
      asked.push([path, query, identityOf(currentScope()?.asker)?.subject])
      return answer
    }
    const answer = await ask(
      '/gateway/api/users/1/orders',
      service('user-service', note(ALICE)),
      service('order-service', note(ORDERS)),
      { 'x-user-id': 'mallory' },
    )
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ user: ALICE, orders: ORDERS })
    expect(asked).toEqual([
      ['/api/users/1', undefined, 'alice'],
      ['/api/orders', { user_id: 1 }, 'alice'],
    ])
    expect(await gateway?.metrics()).toContain('route="/gateway/api/users/:id/orders"')
  })

  it('gives its services the gateway’s deadline, whatever the client says', async () => {
    const began = performance.now()
    let deadline = 0
    const note = service('user-service', () => {
      deadline = currentScope()?.deadline ?? 0
      return ALICE
    })
    await ask('/gateway/api/users/1/orders', note, orders, { 'x-deadline-ms': '1' })
    expect(deadline).toBeGreaterThan(began + 14_000)
  })

  it('wants a token', async () => {
    const answer = await ask('/gateway/api/users/1/orders', users, orders, { authorization: '' })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  })

  it.each(['0', '-1', '1.5', 'abc', '1e3', '99999999999999999999', '%31x'])('refuses %s as an id', async (id) => {
    const answer = await ask(`/gateway/api/users/${id}/orders`, users, orders)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'INVALID_REQUEST', error: 'Invalid user ID' })
  })

  it('says 404 for a user that does not exist, whatever the orders say', async () => {
    const nobody = failing(new AppError('NOT_FOUND', 'User not found'))
    const answer = await ask('/gateway/api/users/9/orders', nobody, failing(new AppError('UPSTREAM_FAILED', 'no')))
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error: 'User not found' })
  })

  it('passes a failure of the orders on', async () => {
    const answer = await ask('/gateway/api/users/1/orders', users, failing(new AppError('UPSTREAM_TIMEOUT', 'late')))
    expect(answer.status).toBe(504)
  })

  it('says 502 for an answer that is no list', async () => {
    const answer = await ask(
      '/gateway/api/users/1/orders',
      users,
      service('order-service', () => ({ error: 'x' })),
    )
    expect(answer.status).toBe(502)
  })
})
