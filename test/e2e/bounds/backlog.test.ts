import { describe, expect, it } from 'vitest'
import { residentBytes } from './resident.ts'
import { serveRole } from './role-process.ts'

const BATCH = 1_000
const MOST_BYTES = 64_000_000

describe('a backlog', () => {
  it.each([100, 1_000])('of 100 000 messages of %d bytes costs the broker disk, not memory', async (size) => {
    await using broker = await serveRole('broker', {})
    const post = async (path: string, type: string, body: string) => {
      const { status } = await fetch(broker.url + path, { method: 'POST', headers: { 'content-type': type }, body })
      return status
    }
    await post('/broker/subscriptions', 'application/json', '{"topic":"backlog","group":"later"}')
    const before = residentBytes(broker.pid)
    const line = `${JSON.stringify({ topic: 'backlog', payload: 'x'.repeat(size) })}\n`
    for (let sent = 0; sent < 100_000; sent += BATCH) {
      expect(await post('/broker/publish', 'application/x-ndjson', line.repeat(BATCH))).toBe(202)
    }
    expect(residentBytes(broker.pid) - before).toBeLessThan(MOST_BYTES)
  })
})
