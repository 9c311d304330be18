import { describe, expect, it } from 'vitest'
import { runBroker } from './testing/running-broker.ts'

describe('messages that wait for their time', () => {
  it('are no more than may be, and whoever has one more is told when to come again', async () => {
    await using broker = await runBroker({ config: { max_delayed: 2 } })
    const publish = (id: string, delay: number) => {
      const headers = { 'idempotency-key': id }
      return fetch(`${broker.url}/broker/publish/a?delay=${delay}`, { method: 'POST', body: '1', headers })
    }
    expect([(await publish('1', 100)).status, (await publish('2', 50)).status]).toEqual([202, 202])
    const refused = await publish('3', 100)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '50'])
    expect(await refused.json()).toMatchObject({
      code: 'RATE_LIMITED',
      detail: '2 messages wait for their time, as many as may: publish it when it is due, or cancel some',
    })
    const lines = ['{"topic":"a","payload":1}', '{"topic":"a","payload":2,"delay":9}'].join('\n')
    expect((await broker.call('POST', '/broker/publish', lines)).status).toBe(429)
    expect([(await publish('1', 100)).status, (await publish('4', 0)).status]).toEqual([202, 202])
  })
})
