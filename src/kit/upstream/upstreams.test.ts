import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { Directory, Instance } from '../discovery/directory.ts'
import { createUpstreams } from './upstreams.ts'

const at = (host: string, port = 80): Instance => ({
  id: '1',
  service_name: 'thing-service',
  host,
  port,
  url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
  tags: [],
  metadata: {},
})

const directory: Directory = {
  instances: () => [],
  settled: Promise.resolve(),
  waitFor: async () => [],
  onChange: () => () => {},
  close: async () => {},
}
const upstreams = createUpstreams({ directory, clock, limits: { maxConnections: 8, uploadShare: 1, callerShare: 1 } })
afterEach(() => upstreams.close())

describe('createUpstreams', () => {
  it.each(['169.254.169.254', '::ffff:a9fe:a9fe', '2130706433', '0.0.0.0', 'metadata.google.internal'])(
    'has no pool for %s',
    (host) => {
      expect(upstreams.poolOf(at(host))).toBeUndefined()
    },
  )

  it('keeps one pool an address', () => {
    const pool = upstreams.poolOf(at('127.0.0.1', 8001))
    expect(pool?.authority).toBe('127.0.0.1:8001')
    expect(upstreams.poolOf({ ...at('127.0.0.1', 8001), id: '2' })).toBe(pool)
    expect(upstreams.poolOf(at('127.0.0.1', 8002))).not.toBe(pool)
  })

  it('writes IPv6 addresses as a Host header has them', () => {
    expect(upstreams.poolOf(at('::1', 8001))?.authority).toBe('[::1]:8001')
  })
})
