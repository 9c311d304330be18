import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leastTime } from '../least-time.ts'
import { type Booted, boot } from './boot.ts'

const ENTRIES = 30_000
const BATCH = 5_000
const TRIES = 8

/** Words that nearly every entry has, in none of the level asked for. */
const COMMON = `/logs?${new URLSearchParams({ q: 'common words here request took ms some', level: 'CRITICAL' })}`
const PHRASE = `/logs?${new URLSearchParams({ q: `"${'words common '.repeat(8)}"` })}`
const NOBODY = '/logs?service=none&level=ERROR'

let platform: Booted

beforeAll(async () => {
  platform = await boot(['log-server'], { sections: { 'log-server': { max_searches: 100 } } })
  for (let at = 0; at < ENTRIES; at += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, i) => ({
      level: 'INFO',
      service: 'shop',
      message: `common words here: request ${at + i} took ${i} ms`,
      metadata: { some: 'words', number: at + i },
    }))
    const answer = await platform.fetch('log-server', '/logs', { method: 'POST', body: JSON.stringify(batch) })
    expect(answer.status).toBe(202)
  }
})
afterAll(() => platform[Symbol.asyncDispose]())

const status = async (path: string, init?: RequestInit) => {
  const answer = await platform.fetch('log-server', path, init)
  await answer.arrayBuffer()
  return answer.status
}

/** Sends forty of a request at once, again and again, while others are answered; gives the middle of how long those took, in milliseconds. */
async function besides(attack: string, good: string): Promise<number> {
  let over = false
  const attackers = Array.from({ length: 40 }, async () => {
    while (!over) expect([200, 503]).toContain(await status(attack))
  })
  const times: number[] = []
  try {
    for (let i = 0; i < 15; i++) {
      const startedAt = performance.now()
      expect(await status(good)).toBe(200)
      times.push(performance.now() - startedAt)
      await sleep(5)
    }
  } finally {
    over = true
    await Promise.all(attackers)
  }
  return times.toSorted((a, b) => a - b)[7] ?? 0
}

describe('searches', () => {
  it.each([
    ['common words', COMMON],
    ['a long phrase', PHRASE],
    ['a service that is not there', NOBODY],
  ])('hold up neither health nor a small question: %s', { timeout: 240_000 }, async (_, attack) => {
    expect(await leastTime(200, () => besides(attack, '/livez'), TRIES)).toBeLessThan(200)
    expect(await leastTime(1_000, () => besides(attack, '/logs?limit=10'), TRIES)).toBeLessThan(1_000)
  })

  it('are refused beyond their number, with a time to come again, and taken again afterwards', async () => {
    const answers = await Promise.all(Array.from({ length: 150 }, () => platform.fetch('log-server', COMMON)))
    const refused = answers.filter((answer) => answer.status === 503)
    expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThan(0)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) expect(answer.headers.get('retry-after')).toBe('1')
    expect(await status(COMMON)).toBe(200)
  })

  it('end when their callers go away', { timeout: 240_000 }, async () => {
    expect(await leastTime(1_500, overAfterLeaving, TRIES)).toBeLessThan(1_500)
  })
})

/** Milliseconds from when all callers have gone away until nothing is searched for. */
async function overAfterLeaving(): Promise<number> {
  const leaving = new AbortController()
  const asked = Array.from({ length: 45 }, () => status(COMMON, { signal: leaving.signal }).catch(() => 0))
  await expect.poll(underWay).toBeGreaterThan(10)
  leaving.abort()
  await Promise.all(asked)
  const startedAt = performance.now()
  await expect.poll(underWay).toBe(0)
  return performance.now() - startedAt
}

async function underWay(): Promise<number> {
  const text = await (await platform.fetch('log-server', '/metrics')).text()
  return Number(/^log_server_searches(?:{.*})? (\d+)/m.exec(text)?.[1])
}
