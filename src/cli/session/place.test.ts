import { describe, expect, it } from 'vitest'
import { locate } from './place.ts'

const roles = [
  { name: 'broker', service: 'broker' },
  { name: 'user', service: 'user-service' },
]
const known = {
  settings: { data: '/data', services: {} },
  sections: { broker: { host: '127.0.0.1', port: 8300 }, user: { host: '127.0.0.1', port: 8001 } },
  roles,
  running: [],
}
const url = 'http://127.0.0.1:9300'
const running = [{ roles: [{ unit: 'broker', role: 'broker', service: 'bus', url, state: 'ready' as const }] }]

describe('where a role is', () => {
  it('is where it runs on the data folder, whatever its name there', () => {
    for (const options of [{}, { data: '/data' }]) {
      expect(locate('broker', { ...known, running }, options)).toEqual({
        url,
        elsewhere: [],
        service: 'bus',
        isGuess: false,
      })
    }
  })

  it('is at its static address before all', () => {
    const settings = { data: '/data', services: { broker: 'http://far:1' } }
    expect(locate('broker', { ...known, settings, running }, { data: '/data' }).url).toBe('http://far:1')
  })

  it('is guessed where nothing runs on a folder that nobody named', () => {
    expect(locate('broker', known, {})).toEqual({
      url: 'http://127.0.0.1:8300',
      elsewhere: [],
      service: 'broker',
      isGuess: true,
    })
  })

  it('is not guessed for a folder that was named: somebody else’s platform may be there', () => {
    expect(() => locate('user', known, { data: '/data' })).toThrow(
      /^no platform runs on \/data; start it with msvc up, or .* USER_SERVICE_URL$/,
    )
  })

  it('is not guessed for a platform that runs without it', () => {
    expect(() => locate('user', { ...known, running }, {})).toThrow(
      /^user isn't part of what runs on \/data, or not yet;/,
    )
  })

  it('is where a named configuration has it', () => {
    expect(locate('user', known, { data: '/data', config: 'a.yaml' }).url).toBe('http://127.0.0.1:8001')
  })
})
