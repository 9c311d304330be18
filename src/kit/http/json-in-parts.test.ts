import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import type { AppEnv } from './app-env.ts'
import { answerInParts, jsonInParts } from './json-in-parts.ts'

describe('answerInParts', () => {
  it('writes the same as at once, lists within lists too', async () => {
    const app = new Hono<AppEnv>()
    const groups = [[], ['a', 'ü\n'], [{ b: 1 }]]
    app.get('/', (c) => {
      const groupInParts = (items: unknown[]) => jsonInParts({ size: items.length, items: [] }, items)
      return answerInParts(c, jsonInParts({ groups: [] }, groups, groupInParts))
    })
    const answer = await app.request('/')
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.text()).toBe(
      '{"groups":[{"size":0,"items":[]},{"size":2,"items":["a","ü\\n"]},{"size":1,"items":[{"b":1}]}]}',
    )
  })

  it('writes no more than is read', async () => {
    let written = 0
    const items = Array.from({ length: 1_000 }, () => ({ toJSON: () => ++written && 'x'.repeat(1_000) }))
    const app = new Hono<AppEnv>()
    app.get('/', (c) => answerInParts(c, jsonInParts({ items: [] }, items)))
    const reader = (await app.request('/')).body?.getReader()
    await reader?.read()
    await new Promise(setImmediate)
    expect(written).toBeLessThan(200)
    await reader?.cancel()
  })
})
