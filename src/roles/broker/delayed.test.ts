import { describe, expect, it } from 'vitest'
import { runBroker } from './testing/running-broker.ts'

/** Headers of an event with JSON as its data, and the id `1/ü`. */
const event = {
  'content-type': 'application/json',
  ...{ 'ce-specversion': '1.0', 'ce-id': '1/%C3%BC', 'ce-source': '/x', 'ce-type': 't' },
}

describe('messages that wait for their time', () => {
  it('are no more than may be, and whoever has one more is told when to come again', async () => {
    await using broker = await runBroker({ config: { max_delayed: 2 } })
    const publish = (id: string, delay: number) => {
      const headers = { 'idempotency-key': id }
      return fetch(`${broker.url}/broker/publish/a?delay=${delay}`, { method: 'POST', body: '1', headers })
    }
    expect([(await publish('1', 100)).status, (await publish('2', 50)).status]).toEqual([202, 202])
    const refused = await publish('3', 100)
    expect(refused.status).toBe(429)
    const retryAfter = Number(refused.headers.get('retry-after'))
    expect(retryAfter).toBeGreaterThan(30)
    expect(retryAfter).toBeLessThanOrEqual(50)
    expect(await refused.json()).toMatchObject({
      code: 'RATE_LIMITED',
      detail: '2 messages wait for their time, as many as may: publish it when it is due, or cancel some',
    })
    const lines = ['{"topic":"a","payload":1}', '{"topic":"a","payload":2,"delay":9}'].join('\n')
    expect((await broker.call('POST', '/broker/publish', lines)).status).toBe(429)
    expect((await broker.call('GET', '/metrics')).body).toMatch(/^broker_messages_delayed\{[^}]*\} 2$/m)
    expect([(await publish('1', 100)).status, (await publish('4', 0)).status]).toEqual([202, 202])
  })

  it('are listed, the next one first, page by page, of a topic or of all', async () => {
    await using broker = await runBroker()
    const published = await broker.call('POST', '/broker/publish/a?delay=200&key=k', '{"n":1e400}', event)
    await broker.call('POST', '/broker/publish/b?delay=100', '2', { 'idempotency-key': '2' })
    const bytes = { ...event, 'ce-id': '3', 'content-type': 'application/octet-stream' }
    await broker.call('POST', '/broker/publish/b?delay=300', 'abc', bytes)
    const answer = await fetch(`${broker.url}/broker/delayed?topic=a`)
    expect(await answer.text()).toContain('"payload":{"n":1e400}')
    const { body } = await broker.call('GET', '/broker/delayed')
    expect(body.next).toBe(null)
    expect(body.delayed).toMatchObject([
      { id: '2', topic: 'b', payload: 2 },
      { id: '1/ü', topic: 'a', deliver_at: published.body.deliver_at },
      { id: '3', topic: 'b', payload_base64: 'YWJj' },
    ])
    expect(body.delayed[1]?.attributes).toMatchObject({ source: '/x', partitionkey: 'k' })
    const seen = []
    for (let next: string | null = ''; next !== null; ) {
      const page: typeof body = (await broker.call('GET', `/broker/delayed?topic=b&limit=1${next && `&after=${next}`}`))
        .body
      seen.push(...page.delayed.map(({ id }) => id))
      next = page.next
    }
    expect(seen).toEqual(['2', '3'])
    for (const query of ['after=x', 'topic=a.*', 'topic=', 'tpoic=a', 'limit=0']) {
      expect([query, (await broker.call('GET', `/broker/delayed?${query}`)).status]).toEqual([query, 400])
    }
  })

  it('are cancelled by the ids their publishers gave, of a topic or of all', async () => {
    await using broker = await runBroker()
    const left = async () => (await broker.call('GET', '/broker/delayed')).body.delayed.map(({ topic }) => topic)
    const cancel = (id: string, query = '') =>
      broker.call('DELETE', `/broker/delayed/${encodeURIComponent(id)}${query}`)
    for (const topic of ['a', 'b', 'c']) {
      await broker.call('POST', `/broker/publish/${topic}?delay=100`, '1', event)
      await broker.call('POST', `/broker/publish/${topic}?delay=200`, '1', { ...event, 'ce-source': '/y' })
    }
    expect(await cancel('1')).toMatchObject({ status: 404, body: { detail: expect.stringContaining('the id "1"') } })
    expect((await cancel('1/ü', '?topic=d')).status).toBe(404)
    expect((await cancel('1/ü', '?topic=>')).status).toBe(400)
    expect(await cancel('1/ü', '?topic=b')).toEqual({ status: 200, body: { cancelled: 2 } })
    expect(await left()).toEqual(['a', 'c', 'a', 'c'])
    expect(await cancel('1/ü')).toEqual({ status: 200, body: { cancelled: 4 } })
    expect((await cancel('1/ü')).status).toBe(404)
    expect(await broker.call('POST', '/broker/publish/a', '2', event)).toMatchObject({ body: { offset: 1 } })
  })
})
