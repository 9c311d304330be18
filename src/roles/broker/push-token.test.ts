import { describe, expect, it } from 'vitest'
import { createPushToken } from './push-token.ts'

const instances = (service: string) =>
  service === 'catalog' ? [{ id: 'c', service_name: 'catalog', ...THERE, tags: [], metadata: {} }] : []
const THERE = { host: '10.0.0.7', port: 7001, url: 'http://10.0.0.7:7001/base' }

const tokenIn = (mode: 'local' | 'token') =>
  createPushToken({
    authority: { mode, serviceToken: async (service, audience) => `${service} for ${audience}` },
    directory: { instances },
    service: 'broker',
  })

describe('the token of a push', () => {
  it.each([
    ['http://127.0.0.1:9000/events', 'on this machine'],
    ['http://localhost:9000/events', 'on this machine, by name'],
    ['http://10.0.0.7:7001/events', 'where the service is registered'],
  ])("is the broker's for the owner at %s: %s", async (url) => {
    expect(await tokenIn('token')({ owner: 'catalog', url })).toBe('broker for catalog')
  })

  it.each([
    [{ owner: 'catalog', url: 'https://hooks.example.com/events' }, 'somebody else'],
    [{ owner: 'catalog', url: 'http://10.0.0.7:7002/events' }, 'another port'],
    [{ owner: 'shop', url: 'http://10.0.0.7:7001/events' }, 'another service'],
    [{ owner: 'catalog', url: 'http://key:secret@127.0.0.1:9000/' }, 'one that has credentials of its own'],
    [{ owner: 'user:alice', url: 'http://127.0.0.1:9000/' }, "a person's"],
    [{ owner: undefined, url: 'http://127.0.0.1:9000/' }, "nobody's"],
  ])('does not go to %j: %s', async (target, _whose) => {
    expect(await tokenIn('token')(target)).toBeUndefined()
  })

  it('is none in local mode', async () => {
    expect(await tokenIn('local')({ owner: 'catalog', url: 'http://127.0.0.1:9000/' })).toBeUndefined()
  })
})
