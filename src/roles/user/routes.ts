import { Hono } from 'hono'
import * as z from 'zod'
import { wantSomebody } from '../../kit/auth/ownership.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { Limit, NumericId, page } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { NewUser, User, UserChanges } from './contract.ts'
import type { Users } from './users.ts'

const ListQuery = z.object({ limit: Limit, after: NumericId.optional() })
const UserId = z.object({ id: NumericId })
const INVALID_ID = 'Invalid user ID'
const INVALID_USER = 'Username and email are required'
const CHANGED = { 200: User, 404: 'User not found', 409: 'Username or email is taken' }

/** Refuses an anonymous caller, whatever a gateway's route lets through; whoever has the scope may change anybody. Throws AppError `UNAUTHENTICATED`. */
function somebody(): void {
  wantSomebody(currentScope()?.asker, 'A user is changed by somebody')
}

/** The user service's HTTP API (design §5; seed 9.7.2). */
export function userRoutes(users: Users): Hono<AppEnv> {
  const app = new Hono<AppEnv>()

  app.get(
    '/api/users',
    route({ summary: 'List users', scope: 'users:read', query: ListQuery, responses: { 200: z.array(User) } }),
    async (c) => {
      const { limit, after } = c.req.valid('query')
      return c.json(page(c, await users.list({ limit: limit + 1, after }), limit))
    },
  )

  app.get(
    '/api/users/:id',
    route({
      summary: 'Show a user',
      scope: 'users:read',
      params: UserId,
      invalid: INVALID_ID,
      responses: { 200: User, 404: 'User not found' },
    }),
    async (c) => c.json(await users.find(c.req.valid('param').id)),
  )

  app.post(
    '/api/users',
    route({
      summary: 'Make a user',
      scope: 'users:write',
      body: NewUser,
      invalid: INVALID_USER,
      responses: { 201: User, 400: INVALID_USER, 409: 'Username or email is taken' },
    }),
    async (c) => {
      const user = await users.add(c.req.valid('json'))
      return c.json(user, 201, { location: `/api/users/${user.id}` })
    },
  )

  app.put(
    '/api/users/:id',
    route({
      summary: 'Replace a user',
      scope: 'users:write',
      params: UserId,
      body: NewUser,
      invalid: { params: INVALID_ID, body: INVALID_USER },
      responses: CHANGED,
    }),
    async (c) => {
      somebody()
      return c.json(await users.change(c.req.valid('param').id, c.req.valid('json')))
    },
  )

  app.patch(
    '/api/users/:id',
    route({
      summary: 'Change a user',
      scope: 'users:write',
      params: UserId,
      body: UserChanges,
      invalid: { params: INVALID_ID, body: 'Invalid user data' },
      responses: CHANGED,
    }),
    async (c) => {
      somebody()
      return c.json(await users.change(c.req.valid('param').id, c.req.valid('json')))
    },
  )

  app.delete(
    '/api/users/:id',
    route({
      summary: 'Delete a user',
      scope: 'users:write',
      params: UserId,
      invalid: INVALID_ID,
      responses: { 204: 'Deleted', 404: 'User not found' },
    }),
    async (c) => {
      somebody()
      await users.remove(c.req.valid('param').id)
      return c.body(null, 204)
    },
  )

  return app
}
