import { describe, expect, it, vi } from 'vitest'
import { pull, subscribe } from './testing/consumer-calls.ts'
import { runBroker } from './testing/running-broker.ts'

describe('subscribing', () => {
  it('makes, shows and ends subscriptions', async () => {
    await using broker = await runBroker()
    const made = await broker.call('POST', '/broker/subscriptions', {
      topic: 'order.*',
      group: 'g',
      ack_wait: 2.5,
      max_deliver: 3,
    })
    const state = {
      topic: 'order.*',
      group: 'g',
      ack_wait: 2.5,
      max_deliver: 3,
      give_up_after: 86_400,
      pending: 0,
      leased: 0,
    }
    expect(made).toEqual({ status: 201, body: { id: expect.any(String), ...state } })
    const path = `/broker/subscriptions/${made.body.id}`
    expect((await broker.call('GET', path)).body).toEqual(made.body)
    expect((await broker.call('GET', '/broker/subscriptions')).body).toEqual({ subscriptions: [made.body] })
    expect((await broker.call('DELETE', path)).status).toBe(204)
    for (const method of ['GET', 'DELETE']) expect((await broker.call(method, path)).status).toBe(404)
    expect((await broker.call('POST', `${path}/pull`)).status).toBe(404)
  })

  it('ends what has no group after a day, a group and push never, and either after the time asked for', async () => {
    await using broker = await runBroker()
    const expires = async (spec: object) =>
      (await broker.call('POST', '/broker/subscriptions', spec)).body.expires_after
    expect(await expires({ topic: 'a' })).toBe(86_400)
    expect(await expires({ topic: 'a', expires_after: 1.5 })).toBe(1.5)
    expect(await expires({ topic: 'a', group: 'g' })).toBeUndefined()
    expect(await expires({ topic: 'a', group: 'g', expires_after: 3_600 })).toBe(3_600)
    expect(await expires({ topic: 'a', push: { url: 'http://127.0.0.1:9/' } })).toBeUndefined()
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', group: 'h', expires_after: 1 })
    await vi.waitUntil(async () => (await broker.call('GET', `/broker/subscriptions/${body.id}`)).status === 404, {
      timeout: 20_000,
    })
  })

  it('makes no more topics and subscriptions than there may be, and says so without speaking of the disk', async () => {
    await using broker = await runBroker({ config: { max_topics: 1, max_subscriptions: 1 } })
    const publish = (topic: string) => fetch(`${broker.url}/broker/publish/${topic}`, { method: 'POST', body: '1' })
    const subscribe = (spec: object) =>
      fetch(`${broker.url}/broker/subscriptions`, { method: 'POST', body: JSON.stringify(spec) })
    expect((await publish('a')).status).toBe(202)
    expect((await subscribe({ topic: 'a', group: 'g' })).status).toBe(201)
    const refusals = [
      { refused: await publish('b'), retryAfter: '3600' },
      { refused: await subscribe({ topic: 'a' }), retryAfter: '60' },
    ]
    for (const { refused, retryAfter } of refusals) {
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, retryAfter])
      const problem = await refused.text()
      expect(problem).toContain('RATE_LIMITED')
      expect(problem).not.toContain('disk')
    }
    // what the platform itself lives by has its place
    for (const topic of ['order.created', 'payment.processed', 'a']) expect((await publish(topic)).status).toBe(202)
    expect((await subscribe({ topic: 'order.created', group: 'payment-service' })).status).toBe(201)
    expect((await subscribe({ topic: 'order.*', group: 'payment-service' })).status).toBe(429)
  })

  it('lists topics and subscriptions page by page', async () => {
    await using broker = await runBroker()
    for (const topic of ['a', 'b', 'c']) {
      await broker.call('POST', `/broker/publish/${topic}`, '1')
      await broker.call('POST', '/broker/subscriptions', { topic, group: 'g' })
    }
    for (const list of ['topics', 'subscriptions']) {
      const seen: string[] = []
      for (let path = `/broker/${list}?limit=2`; path !== ''; ) {
        const answer = await fetch(broker.url + path)
        const body = (await answer.json()) as Record<string, { topic: string }[]>
        seen.push(...(body[list] ?? []).map(({ topic }) => topic))
        path = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
      }
      expect(seen).toEqual(['a', 'b', 'c'])
    }
    const found = await broker.call('GET', '/broker/subscriptions?topic=b&group=g')
    expect(found.body.subscriptions).toMatchObject([{ topic: 'b', group: 'g' }])
    expect((await broker.call('GET', '/broker/subscriptions?group=h')).body.subscriptions).toEqual([])
    expect((await broker.call('GET', '/broker/topics?limit=1001')).status).toBe(400)
  })

  it('gives a group one subscription, and each message to one of its members', async () => {
    await using broker = await runBroker()
    const [a, b] = [
      await subscribe(broker, { topic: 'a', group: 'g' }),
      await subscribe(broker, { topic: 'a', group: 'g' }),
    ]
    expect(a).toBe(b)
    await broker.call('POST', '/broker/publish/a', '1')
    expect([(await pull(broker, a)).length, (await pull(broker, b)).length]).toEqual([1, 0])
  })

  it.each([
    ['no topic', {}],
    ['a bad pattern', { topic: 'a.>.b' }],
    ['a bad group', { topic: 'a', group: 'a b' }],
    ['a push URL that is none', { topic: 'a', push: { url: 'file:///etc/passwd' } }],
    ['the metadata service', { topic: 'a', push: { url: 'http://169.254.169.254/latest' } }],
    ['its mapped spelling', { topic: 'a', push: { url: 'http://[::ffff:a9fe:a9fe]/' } }],
    ['its number', { topic: 'a', push: { url: 'http://2852039166/' } }],
    ...['\r', '\n', '\r\n', '\t', ' ', '\0', '\u0085', '\u2028', '\u00a0', 'é'].flatMap((odd) =>
      [
        `http://127.0.0.1:9/a${odd}b`,
        `http://127.0.0.1:9/${odd}`,
        `${odd}http://127.0.0.1:9/`,
        `http://127.0.0${odd}.1:9/`,
        `ht${odd}tp://127.0.0.1/`,
      ].map((url): [string, object] => [JSON.stringify(url), { topic: 'a', push: { url } }]),
    ),
    ['a user name', { topic: 'a', push: { url: 'http://u:p@127.0.0.1:9/' } }],
    ['a fragment', { topic: 'a', push: { url: 'http://127.0.0.1:9/#x' } }],
    ['an end for push', { topic: 'a', push: { url: 'http://127.0.0.1:9/' }, expires_after: 60 }],
    ['an end at once', { topic: 'a', expires_after: 0 }],
    ['an end in two years', { topic: 'a', expires_after: 63_072_000 }],
    ['no deliveries', { topic: 'a', max_deliver: 0 }],
    ['no time', { topic: 'a', ack_wait: 0 }],
    ['an odd start', { topic: 'a', from: 'last' }],
    ['an endpoint where a push belongs', { topic: 'a', group: 'g', endpoint: 'http://127.0.0.1:9/' }],
    ['a push without its URL', { topic: 'a', push: { uri: 'http://127.0.0.1:9/' } }],
  ])('refuses %s', async (_, spec) => {
    await using broker = await runBroker()
    expect((await broker.call('POST', '/broker/subscriptions', spec)).status).toBe(400)
  })

  it.each([['last'], [0], [null]])('says what there is to begin at, to one who said %j', async (from) => {
    await using broker = await runBroker()
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', from })
    expect(body.detail).toMatch(/from: new, first, a cursor \(.*\), or an offset from 1 on$/)
    const query = new URLSearchParams({ from: String(from) })
    const stream = await broker.call('GET', `/broker/stream/a?${query}`)
    expect(stream.body.detail).toMatch(/from: new, first, a cursor \(.*\), or an offset from 1 on$/)
  })

  it.each(['max=0', 'max=1001', 'mx=1', 'max=x', 'wait=-1', 'wait=61'])('refuses to pull with %s', async (query) => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    expect((await broker.call('POST', `/broker/subscriptions/${id}/pull?${query}`)).status).toBe(400)
  })
})
