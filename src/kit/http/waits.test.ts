import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type Asker, NOBODY } from '../auth/asker.ts'
import { errors } from '../middleware/errors.ts'
import { runInScope, type Scope } from '../telemetry/scope.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { AppEnv } from './app-env.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'
import { testWaits } from './testing/waits.ts'
import type { Wait, WaitLimits } from './waits.ts'

/** A role whose every request waits until it is let go. */
function waitingRole(limits: Partial<WaitLimits>) {
  const stopping = new AbortController()
  const waits = testWaits(stopping.signal, limits)
  const held: Wait[] = []
  const app = new Hono<AppEnv>()
  errors(app, silentLog)
  app.get('/', (c) => {
    held.push(waits.begin(c))
    return c.text('waiting')
  })
  const ask = async (agent: string, from = '') =>
    (await app.request('/', { headers: { 'user-agent': agent, 'x-forwarded-for': from } })).status
  return { app, ask, held, waits, stop: () => stopping.abort() }
}

function as(who: string | Asker, ask: () => Promise<number>): Promise<number> {
  const span = { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} }
  const asker: Asker = typeof who === 'string' ? { is: 'user', subject: who, scopes: new Set() } : who
  const scope: Scope = { span, requestId: '', asker }
  return runInScope(scope, ask)
}

describe('Waits', () => {
  it('are a thousand for a role and a hundred for a caller by default, and 64 MiB wait for all readers', () => {
    expect(DEFAULT_LIMITS).toMatchObject({ waits: 1_000, waits_per_caller: 100, queued_bytes: 67_108_864 })
  })

  it('refuses a caller more waits than may be, leaves room for others, and counts down when one is over', async () => {
    const { ask, held, waits } = waitingRole({ waits_per_caller: 2 })
    expect([await ask('a'), await ask('a'), await ask('a'), await ask('b')]).toEqual([200, 200, 429, 200])
    held[0]?.end()
    held[0]?.end()
    expect(waits.count).toBe(2)
    expect([await ask('a'), await ask('a')]).toEqual([200, 429])
  })

  it('refuses everybody more waits than the role may have, and says when to come back', async () => {
    const { app, ask } = waitingRole({ waits: 2 })
    expect([await ask('a'), await ask('b')]).toEqual([200, 200])
    const refused = await app.request('/', { headers: { 'user-agent': 'c' } })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(await refused.json()).toMatchObject({
      code: 'RATE_LIMITED',
      detail: expect.stringContaining('limits.waits'),
    })
  })

  it('knows who is nobody by where the gateway says that he comes from, whatever he says of himself', async () => {
    const { ask } = waitingRole({ waits_per_caller: 1 })
    expect(await as(NOBODY, () => ask('a', '203.0.113.9'))).toBe(200)
    expect(await as(NOBODY, () => ask('b', '203.0.113.9'))).toBe(429)
    expect(await as(NOBODY, () => ask('a', '203.0.113.10'))).toBe(200)
  })

  it('knows a caller by the subject of its token, whatever it says of itself', async () => {
    const { ask } = waitingRole({ waits_per_caller: 1 })
    expect(await as('ann', () => ask('a'))).toBe(200)
    expect(await as('ann', () => ask('b'))).toBe(429)
    expect(await as('bob', () => ask('a'))).toBe(200)
  })

  it('remembers no more callers than a few for each wait that may be', async () => {
    const { ask, held, waits } = waitingRole({ waits: 4 })
    for (let caller = 0; caller < 100; caller++) {
      await ask(String(caller))
      held.at(-1)?.end()
    }
    expect(waits.callers).toBeLessThan(12)
  })

  it('fires the signal of each wait when the role stops', async () => {
    const { ask, held, stop } = waitingRole({})
    await ask('a')
    stop()
    await ask('a')
    expect(held.map(({ signal }) => signal.aborted)).toEqual([true, true])
  })
})
