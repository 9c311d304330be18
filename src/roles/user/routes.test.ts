import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../drivers/store/contract.ts'
import { sqlite } from '../../drivers/store/sqlite.ts'
import { type Asker, LOCAL, NOBODY } from '../../kit/auth/asker.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { errors } from '../../kit/middleware/errors.ts'
import { runInScope, type Scope } from '../../kit/telemetry/scope.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { userRoutes } from './routes.ts'
import { type UserTables, userMigrations } from './user-tables.ts'
import { createUsers } from './users.ts'

const SCOPE: Scope = {
  span: { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} },
  requestId: '',
}
const NOW = Date.parse('2026-12-01T12:00:00Z')

describe('user service', () => {
  let folder: string
  let store: Store<UserTables>
  let app: Hono<AppEnv>

  async function open(demoUsers = true) {
    const migrations = userMigrations(demoUsers, '2026-12-01T12:00:00.000Z')
    store = await sqlite.open<UserTables>({ url: 'sqlite:', name: 'user-service', folder, migrations })
    app = userRoutes(createUsers(store, { now: () => NOW, monotonic: () => 0 }))
    errors(app, silentLog)
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-user-'))
    await open()
  })
  afterEach(async () => {
    await store.close()
    await rm(folder, { recursive: true })
  })

  async function call(method: string, path: string, body?: unknown, asker: Asker = LOCAL) {
    const init =
      body === undefined ? { method } : { method, body: typeof body === 'string' ? body : JSON.stringify(body) }
    const answer = await runInScope({ ...SCOPE, asker }, () => app.request(path, init))
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  it('begins with the users of the seed', async () => {
    expect((await call('GET', '/api/users')).body).toEqual([
      { id: 1, username: 'john_doe', email: 'john@example.com', created_at: '2026-12-01T12:00:00.000Z' },
      { id: 2, username: 'jane_smith', email: 'jane@example.com', created_at: '2026-12-01T12:00:00.000Z' },
    ])
    expect((await call('GET', '/api/users/1')).body).toMatchObject({ id: 1, username: 'john_doe' })
  })

  it('lets who is nobody make a user, but change none', async () => {
    const carol = { username: 'carol', email: 'carol@example.com' }
    for (const [method, body] of [
      ['PUT', carol],
      ['PATCH', { email: 'x@example.com' }],
      ['DELETE', undefined],
    ] as const)
      expect((await call(method, '/api/users/1', body, NOBODY)).status, method).toBe(401)
    expect((await call('GET', '/api/users/1', undefined, NOBODY)).body).toMatchObject({ email: 'john@example.com' })
    expect((await call('POST', '/api/users', carol, NOBODY)).status).toBe(201)
  })

  it('doesn’t bring a deleted demo user back, nor its id', async () => {
    expect((await call('DELETE', '/api/users/2')).status).toBe(204)
    await store.close()
    await open()
    expect((await call('GET', '/api/users/2')).status).toBe(404)
    expect((await call('POST', '/api/users', { username: 'alice', email: 'alice@example.com' })).body.id).toBe(3)
  })

  it('begins empty when asked to', async () => {
    await store.close()
    await rm(folder, { recursive: true })
    await open(false)
    expect((await call('GET', '/api/users')).body).toEqual([])
  })

  it('makes a user, and ignores what a user has not', async () => {
    const sent = { username: ' alice ', email: 'alice@example.com', role: 'admin', id: 77, __proto__: { admin: true } }
    const { status, headers, body } = await call('POST', '/api/users', sent)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe('/api/users/3')
    expect(body).toEqual({
      id: 3,
      username: 'alice',
      email: 'alice@example.com',
      created_at: '2026-12-01T12:00:00.000Z',
    })
    expect((await call('GET', '/api/users/3')).body).toEqual(body)
  })

  it.each([
    ['{}'],
    ['{"username":"alice"}'],
    ['{"username":"","email":""}'],
    ['{"username":"   ","email":"a@example.com"}'],
    ['{"username":"a\\u0000b","email":"a@example.com"}'],
    ['{"username":"<img onerror=x>","email":"a@example.com"}'],
    ['{"username":{"$ne":1},"email":"a@example.com"}'],
    [`{"username":"${'x'.repeat(65)}","email":"a@example.com"}`],
    ['{"username":"alice","email":"alice"}'],
    [`{"username":"alice","email":"${'a'.repeat(300)}@example.com"}`],
    ['[]'],
    ['null'],
  ])('refuses %s', async (body) => {
    expect(await call('POST', '/api/users', body)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST', error: 'Username and email are required' },
    })
  })

  it.each([
    [{ username: 'JOHN_doe', email: 'new@example.com' }, 'Username is already taken'],
    [{ username: 'ｊohn_doe', email: 'new@example.com' }, 'Username is already taken'],
    [{ username: 'new', email: 'John@Example.com' }, 'Email is already taken'],
    [{ username: 'john_doe', email: 'jane@example.com' }, 'Username and email are already taken'],
  ])('refuses %j as taken', async (user, error) => {
    expect(await call('POST', '/api/users', user)).toMatchObject({ status: 409, body: { code: 'CONFLICT', error } })
  })

  it.each(['0', '-1', '1.5', '01', 'abc', '1e3', '9999999999999999999', '%00', '1;drop'])(
    'refuses the id %s',
    async (id) => {
      const problem = { status: 400, body: { error: 'Invalid user ID' } }
      expect(await call('GET', `/api/users/${id}`)).toMatchObject(problem)
      expect(await call('PUT', `/api/users/${id}`, {})).toMatchObject(problem)
      expect(await call('DELETE', `/api/users/${id}`)).toMatchObject(problem)
    },
  )

  it('knows whom it does not have', async () => {
    const problem = { status: 404, body: { code: 'NOT_FOUND', error: 'User not found' } }
    const user = { username: 'new', email: 'new@example.com' }
    expect(await call('GET', '/api/users/999')).toMatchObject(problem)
    expect(await call('PUT', '/api/users/999', user)).toMatchObject(problem)
    expect(await call('PATCH', '/api/users/999', user)).toMatchObject(problem)
    expect(await call('PATCH', '/api/users/999', {})).toMatchObject(problem)
    expect(await call('DELETE', '/api/users/999')).toMatchObject(problem)
  })

  it('replaces and changes', async () => {
    const user = { username: 'John', email: 'j@example.com' }
    expect(await call('PUT', '/api/users/1', user)).toMatchObject({ status: 200, body: { id: 1, ...user } })
    expect(await call('PUT', '/api/users/1', { username: 'John' })).toMatchObject({ status: 400 })
    const patched = { ...user, email: 'new@example.com' }
    expect(await call('PATCH', '/api/users/1', { email: 'new@example.com' })).toMatchObject({
      status: 200,
      body: patched,
    })
    expect(await call('PATCH', '/api/users/1', { username: 'JOHN' })).toMatchObject({ body: { username: 'JOHN' } })
    expect(await call('PATCH', '/api/users/1', {})).toMatchObject({ status: 200, body: { username: 'JOHN' } })
    const taken = { username: 'JOHN', email: 'jane@example.com' }
    expect(await call('PUT', '/api/users/1', taken)).toMatchObject({
      status: 409,
      body: { error: 'Email is already taken' },
    })
    expect(await call('PATCH', '/api/users/1', { username: '' })).toMatchObject({
      body: { error: 'Invalid user data' },
    })
  })

  it('gives every user once, page by page', async () => {
    const names = Array.from({ length: 7 }, (_, at) => `user${at}`)
    await Promise.all(
      names.map((username) => call('POST', '/api/users', { username, email: `${username}@example.com` })),
    )
    const ids: number[] = []
    let next: string | undefined = '/api/users?limit=4'
    while (next !== undefined) {
      const { body, headers } = await call('GET', next)
      ids.push(...body.map(({ id }: { id: number }) => id))
      next = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
    }
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await call('GET', '/api/users?limit=9')).headers.get('link')).toBeNull()
  })

  it.each(['limit=0', 'limit=1001', 'limit=x', 'after=-1', 'limit='])('refuses the query %s', async (query) => {
    expect((await call('GET', `/api/users?${query}`)).status).toBe(400)
  })
})
