import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Booted, boot } from './boot.ts'

/** Waits that a caller may have here: few, so that the test needs few. */
const SHARE = 3

let platform: Booted
let subscription: string
beforeAll(async () => {
  platform = await boot(['registry', 'config-server', 'log-server', 'broker'], {
    platform: { limits: { waits_per_caller: SHARE } },
  })
  const made = await platform.fetch('broker', '/broker/subscriptions', {
    method: 'POST',
    body: JSON.stringify({ topic: 'news' }),
    headers: { 'content-type': 'application/json' },
  })
  subscription = ((await made.json()) as { id: string }).id
})
afterAll(() => platform[Symbol.asyncDispose]())

describe('requests that wait', () => {
  it.each([
    ['registry', 'GET', '/registry/watch'],
    ['config-server', 'GET', '/config/watch'],
    ['log-server', 'GET', '/logs/tail'],
    ['broker', 'GET', '/broker/stream/news'],
    ['broker', 'POST', '/broker/subscriptions/:id/pull?wait=60'],
  ])('of %s: %s %s has a share for each caller, and leaves the others theirs', async (role, method, path) => {
    const leaving = new AbortController()
    const ask = (agent: string) =>
      platform.fetch(role, path.replace(':id', subscription), {
        method,
        signal: leaving.signal,
        headers: { 'user-agent': agent },
      })
    const waiting = Array.from({ length: SHARE + 2 }, () => ask('greedy'))
    const refused = await Promise.race(
      waiting.map(async (answer) => {
        const { status, headers } = await answer
        return status === 200 ? new Promise<never>(() => {}) : [status, headers.get('retry-after')]
      }),
    )
    expect(refused).toEqual([429, '1'])
    for (const answer of waiting) answer.catch(() => {})
    const other = ask('modest')
    const isTaken = method === 'POST' ? stillWaits(other) : other.then(({ status }) => status === 200)
    expect(await isTaken).toBe(true)
    leaving.abort()
    // the shares are free again once the role saw them leave
    await expect.poll(async () => (await quick(role, method, path)).status).toBe(200)
  })
})

async function stillWaits(answer: Promise<Response>): Promise<boolean> {
  const probe = platform.fetch('broker', '/livez').then(() => true)
  answer.catch(() => {})
  return Promise.race([answer.then(() => false), probe])
}

/** One more request of the greedy caller, which doesn't stay. */
async function quick(role: string, method: string, path: string): Promise<Response> {
  const leaving = new AbortController()
  const target = path.replace(':id', subscription).replace('wait=60', 'wait=0.01')
  const answer = await platform.fetch(role, target, {
    method,
    signal: leaving.signal,
    headers: { 'user-agent': 'greedy' },
  })
  leaving.abort()
  return answer
}
