import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { Authority } from '../auth/authority.ts'
import { AppError } from '../errors.ts'
import type { AppEnv } from '../http/app-env.ts'
import type { Listener } from '../http/listener.ts'
import { route } from '../http/route.ts'
import { listenBehindChain } from './testing/chained-listener.ts'

/** Tokens are the names of their scopes, separated by commas; `-` has none. */
const authority: Authority = {
  mode: 'token',
  issuer: 'msvc',
  mint: async () => '-',
  serviceToken: async () => '-',
  renew: async () => ({ token: '-', scopes: [], expiresIn: 1 }),
  recall: () => undefined,
  referenceOf: async () => undefined,
  publicKeys: async () => [],
  heed: () => {},
  verify: async (token) => {
    if (token === 'bad') throw new AppError('UNAUTHENTICATED', 'Unauthorized')
    return { is: 'user', subject: 'ann', scopes: new Set(token.split(',')) }
  },
}

let listener: Listener
let handled: string[]
beforeEach(async () => {
  handled = []
  const app = new Hono<AppEnv>()
  const answer = (name: string) => () => {
    handled.push(name)
    return Response.json({ name })
  }
  const body = z.object({ n: z.int() })
  app.post('/things', route({ summary: 'Make', scope: 'users:write', body }), answer('make'))
  app.get('/things', route({ summary: 'List', scope: 'users:read' }), answer('list'))
  app.get('/open', route({ summary: 'Open', scope: 'public' }), answer('open'))
  app.get('/any', route({ summary: 'Any', scope: 'token' }), answer('any'))
  app.get('/things/new', route({ summary: 'New', scope: 'users:read' }), answer('new'))
  app.get('/things/forgotten', answer('forgotten'))
  app.get('/things/:id', route({ summary: 'Show', scope: 'users:read' }), answer('show'))
  app.get('/things/both', route({ summary: 'Also', scope: 'orders:read' }), answer('also'))
  app.all('/everything', answer('everything'))
  listener = await listenBehindChain({ app }, { authority, hosts: ['127.0.0.1'] })
})
afterEach(() => listener.drain(1_000))

async function ask(method: string, path: string, token?: string, content?: string) {
  const init = {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(content !== undefined && { body: content }),
  }
  const answer = await fetch(`http://127.0.0.1:${listener.port}${path}`, init)
  return { status: answer.status, challenge: answer.headers.get('www-authenticate') }
}

describe('the scope of a route', () => {
  it.each([
    ['GET', '/things', 'users:read'],
    ['HEAD', '/things', 'users:read'],
    ['GET', '/things/1', 'users:read'],
    ['GET', '/things/new', 'users:read'],
    ['GET', '/metrics', 'metrics:read'],
    ['GET', '/openapi.json', 'docs:read'],
  ])('of %s %s is %s', async (method, path, scope) => {
    expect((await ask(method, path)).status).toBe(401)
    expect((await ask(method, path, 'bad')).status).toBe(401)
    for (const wrong of ['-', 'users:write', `${scope}2`, 'admin']) {
      expect(await ask(method, path, wrong), wrong).toEqual({
        status: 403,
        challenge: `Bearer error="insufficient_scope", scope="${scope}"`,
      })
    }
    expect(handled).toEqual([])
    expect((await ask(method, path, scope)).status).toBe(200)
    expect((await ask(method, path, `users:write,${scope}`)).status).toBe(200)
  })

  it('is looked at before the input', async () => {
    expect((await ask('POST', '/things', 'users:read', '{')).status).toBe(403)
    expect((await ask('POST', '/things', 'users:write', '{')).status).toBe(400)
  })

  it('is wanted of every route: one that declares none is open to nobody', async () => {
    for (const path of ['/things/forgotten', '/everything']) {
      expect((await ask('GET', path, 'users:read,users:write,admin')).status, path).toBe(403)
    }
    expect((await ask('DELETE', '/everything', 'users:write')).status).toBe(403)
    expect(handled).toEqual([])
  })

  it('of every pattern that fits is wanted', async () => {
    expect((await ask('GET', '/things/both', 'users:read')).status).toBe(403)
    expect((await ask('GET', '/things/both', 'users:read,orders:read')).status).toBe(200)
  })

  it('may be nothing, or any token', async () => {
    for (const token of [undefined, 'bad', '-']) expect((await ask('GET', '/open', token)).status).toBe(200)
    expect((await ask('GET', '/any')).status).toBe(401)
    expect((await ask('GET', '/any', 'bad')).status).toBe(401)
    expect((await ask('GET', '/any', '-')).status).toBe(200)
  })

  it('says nothing of paths that there are not', async () => {
    expect((await ask('GET', '/nowhere')).status).toBe(401)
    expect((await ask('GET', '/nowhere', '-')).status).toBe(404)
    expect((await ask('PUT', '/things', '-')).status).toBe(404)
  })
})
