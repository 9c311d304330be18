import { describe, expect, it } from 'vitest'
import { OutboundConfig, settingsOf } from './config.ts'

const CLIENT = { timeout_ms: 5_000, attempts: 3, breaker_failures: 5, breaker_open_ms: 60_000 }
const DOOR = { caller: 'catalog', upstream: 'user-service', port: 21_001 }

function faults(...doors: readonly object[]): readonly string[] {
  const { error } = OutboundConfig.safeParse({ doors })
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('doors', () => {
  it('are none by default', () => {
    expect(OutboundConfig.parse({})).toEqual({ doors: [] })
  })

  it('are one for each port', () => {
    expect(faults(DOOR, { ...DOOR, caller: 'shop' })).toEqual([
      'doors.1.port: catalog->user-service and shop->user-service both listen on 21001; give one of them another port',
    ])
    expect(faults({ ...DOOR, port: 0 }, { ...DOOR, caller: 'shop', port: 0 })).toEqual([])
  })

  it('are one from a service to another', () => {
    expect(faults(DOOR, { ...DOOR, port: 21_002 })).toEqual([
      'doors.1: there are two doors catalog->user-service; one is enough, for all replicas of catalog',
    ])
  })

  it('are as many as sixty-four services need, and no more than can be held open', () => {
    const many = (length: number) => Array.from({ length }, (_, at) => ({ ...DOOR, caller: `s${at}`, port: 0 }))
    expect(faults(...many(64 * 70))).toEqual([])
    expect(faults(...many(5_001))).toHaveLength(1)
  })

  it.each([
    ['a name with a slash', { caller: 'a/b' }],
    ['a name that would end a line', { upstream: 'a\r\nb' }],
    ['no attempt', { attempts: 0 }],
    ['no time', { timeout_ms: 0 }],
    ['no such port', { port: 65_536 }],
    ['an unknown key', { retries: 3 }],
  ])('have to be right: %s', (_, wrong) => {
    expect(faults({ ...DOOR, ...wrong })).toHaveLength(1)
  })
})

describe('a door’s settings', () => {
  it('are the clients’ where it says nothing', () => {
    expect(settingsOf(DOOR, CLIENT)).toEqual(CLIENT)
    expect(settingsOf({ ...DOOR, timeout_ms: 2_000, attempts: 2 }, CLIENT)).toEqual({
      ...CLIENT,
      timeout_ms: 2_000,
      attempts: 2,
    })
  })
})
