import { describe, expect, it } from 'vitest'
import { GatewayConfig } from './config.ts'
import { corsPolicy, isPreflight } from './cors.ts'

const policy = (cors: object) => corsPolicy(GatewayConfig.parse({ cors }).cors)

describe('corsPolicy', () => {
  it('names the origin that asks, and no other', () => {
    const shop = policy({ origins: ['https://shop.example', 'http://localhost:3000'], credentials: true })
    expect(shop.answer('https://shop.example')).toMatchObject({
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': expect.stringContaining('x-request-id'),
      vary: 'origin',
    })
    expect(shop.answer('http://localhost:3000')).toHaveProperty('access-control-allow-origin', 'http://localhost:3000')
  })

  it.each(['https://SHOP.example', 'https://shop.example.evil', 'http://shop.example', 'null', '*', undefined])(
    'says nothing to %s but that the answer depends on the origin',
    (origin) => {
      expect(policy({ origins: ['https://shop.example'] }).answer(origin)).toEqual({ vary: 'origin' })
    },
  )

  it('says nothing at all where no origin is configured', () => {
    expect(policy({}).answer('https://shop.example')).toBeUndefined()
  })

  it('answers a preflight with what the route allows', () => {
    expect(policy({ max_age_seconds: 60 }).preflight('GET, POST')).toEqual({
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': expect.stringContaining('authorization'),
      'access-control-max-age': '60',
    })
  })
})

describe('isPreflight', () => {
  it('wants all three signs', () => {
    const headers = { origin: 'https://a', 'access-control-request-method': 'POST' }
    expect(isPreflight('OPTIONS', headers)).toBe(true)
    expect(isPreflight('GET', headers)).toBe(false)
    expect(isPreflight('OPTIONS', { origin: 'https://a' })).toBe(false)
  })
})
