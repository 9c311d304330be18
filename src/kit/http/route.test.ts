import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { errors } from '../middleware/errors.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { AppEnv } from './app-env.ts'
import { route } from './route.ts'

const Thing = z.object({ name: z.string().min(1), count: z.int().min(1) })

function app() {
  const hono = new Hono<AppEnv>()
  errors(hono, silentLog)
  hono.post('/things', route({ summary: 'Make', scope: 'users:write', body: Thing, invalid: 'Invalid thing' }), (c) => {
    const { name, count } = c.req.valid('json')
    return c.json({ name, count }, 201)
  })
  return hono
}

const post = (body: string | Uint8Array<ArrayBuffer>) => app().request('/things', { method: 'POST', body })

describe('route', () => {
  it('gives the handler parsed input', async () => {
    const answer = await post('{"name":"a","count":2,"role":"admin"}')
    expect(answer.status).toBe(201)
    expect(await answer.json()).toEqual({ name: 'a', count: 2 })
  })

  it('names the faulty field', async () => {
    const answer = await post('{"name":"a","count":0}')
    expect(await answer.json()).toMatchObject({
      code: 'INVALID_REQUEST',
      error: 'Invalid thing',
      detail: expect.stringContaining('count'),
    })
  })

  it.each([
    ['malformed JSON', '{'],
    ['an empty body', ''],
    ['deep nesting', '['.repeat(100_000)],
    ['half a surrogate pair', '{"name":"\\ud800","count":1}'],
    ['invalid UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
  ])('refuses %s', async (_, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'INVALID_BODY' })
  })

  it.each(['9007199254740993', '1e400', '1.00000000000000000001'])(
    'refuses %s, which it would not keep',
    async (count) => {
      const answer = await post(`{"name":"a","count":${count}}`)
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { code: 'INVALID_REQUEST', detail: 'Invalid thing: count: a number too large or too exact to be kept' },
      ])
    },
  )

  it('takes an escaped backslash before u and a whole surrogate pair', async () => {
    expect((await post('{"name":"\\\\ud800 \\ud83d\\ude00","count":1}')).status).toBe(201)
  })

  it('refuses a body over the limit', async () => {
    const answer = await post(`{"name":"${'x'.repeat(1_048_576)}","count":1}`)
    expect(await answer.json()).toMatchObject({ code: 'BODY_TOO_LARGE' })
  })
})
