import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

const subscribe = async (broker: RunningBroker, spec: object): Promise<string> =>
  (await broker.call('POST', '/broker/subscriptions', spec)).body.id

const pull = async (broker: RunningBroker, id: string, query = 'max=100') =>
  (await broker.call('POST', `/broker/subscriptions/${id}/pull?${query}`)).body.messages

const settle = (broker: RunningBroker, id: string, verb: 'ack' | 'nack', body: object) =>
  broker.call('POST', `/broker/subscriptions/${id}/${verb}`, body)

describe('publishing', () => {
  it('answers with id, topic and offset once a message is on disk', async () => {
    await using broker = await runBroker()
    const first = await broker.call('POST', '/broker/publish/order.created', { user_id: 1, product: 'Laptop' })
    expect(first).toEqual({ status: 202, body: { id: expect.any(String), topic: 'order.created', offset: 1 } })
    expect((await broker.call('POST', '/broker/publish/order.created', '[1]')).body.offset).toBe(2)
  })

  it('keeps one copy of an id, and of the same id from another source a second', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const event = (source: string) => ({ 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': source, 'ce-type': 't' })
    const answers = []
    for (const source of ['/x', '/x', '/y'])
      answers.push(await broker.call('POST', '/broker/publish/a', '0', event(source)))
    expect(answers.map(({ body }) => body)).toEqual([
      { id: '1', topic: 'a', offset: 1 },
      { id: '1', topic: 'a', offset: 1, duplicate: true },
      { id: '1', topic: 'a', offset: 2 },
    ])
    expect((await pull(broker, id)).map((message: { id: string }) => message.id)).toEqual(['1', '1'])
  })

  it('takes batches, all or nothing', async () => {
    await using broker = await runBroker()
    const good = '{"topic":"a","payload":1}\n{"topic":"b","payload":2}\n'
    expect(await broker.call('POST', '/broker/publish', good)).toEqual({ status: 202, body: { accepted: 2 } })
    expect((await broker.call('POST', '/broker/publish', `${good}{"topic":"$SYS","payload":1}`)).status).toBe(400)
    expect((await broker.call('GET', '/broker/topics')).body).toEqual({
      topics: [
        { topic: 'a', messages: 1, first_offset: 1, last_offset: 1 },
        { topic: 'b', messages: 1, first_offset: 1, last_offset: 1 },
      ],
    })
  })

  it.each([
    'a..b',
    '..%2f..%2fetc',
    'a/b',
    '/a',
    'a%00',
    'a%0Ab',
    'a%0D%0Ab',
    'a%E2%80%A8b',
    '%24SYS',
    'order.*',
    'order.%3E',
    'x'.repeat(256),
    '%zz',
  ])('refuses the topic %s', async (topic) => {
    await using broker = await runBroker()
    const answer = await broker.call('POST', `/broker/publish/${topic}`, '1')
    expect(answer.status).toBe(400)
  })

  it('refuses what is no JSON', async () => {
    await using broker = await runBroker()
    const answer = await broker.call('POST', '/broker/publish/a', '{"a":')
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_BODY', error: 'The body is not valid JSON' } })
  })

  it('refuses messages while the disk is nearly full, and takes them when there is room again', async () => {
    let free = 0
    await using broker = await runBroker({ freeBytes: () => free })
    const publish = () => broker.call('POST', '/broker/publish/a', '1')
    expect(await publish()).toMatchObject({ status: 507, body: { code: 'DISK_FULL' } })
    expect((await broker.call('GET', '/broker/topics')).status).toBe(200)
    free = Number.POSITIVE_INFINITY
    await vi.waitUntil(async () => (await publish()).status === 202, { timeout: 5_000 })
  })

  it("joins the publisher's trace, and hands it on", async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: '>' })
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`
    const line = { specversion: '1.0', id: 'e', source: '/s', type: 'by.event', traceparent, data: 1 }
    await broker.call('POST', '/broker/publish', JSON.stringify(line))
    await broker.call('POST', '/broker/publish/by.header', '1', { traceparent })
    const sent = broker.spans.filter((span) => span.kind === 'producer')
    expect(sent.map(({ trace_id, operation }) => [trace_id, operation])).toEqual([
      [traceId, 'publish by.event'],
      [traceId, 'publish by.header'],
    ])
    expect(sent[0]?.parent_span_id).toBe('b7ad6b7169203331')
    const messages = await pull(broker, id)
    expect(messages.map((message: { attributes: { traceparent: string } }) => message.attributes.traceparent)).toEqual(
      sent.map(({ span_id }) => `00-${traceId}-${span_id}-01`),
    )
  })

  it('hands on a trace that is not kept, without a span of its own', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
    await broker.call(
      'POST',
      '/broker/publish',
      JSON.stringify({ specversion: '1.0', id: 'e', source: '/s', type: 'a', traceparent }),
    )
    expect((await pull(broker, id))[0].attributes.traceparent).toBe(traceparent)
    expect(broker.spans.filter((span) => span.kind === 'producer')).toEqual([])
  })
})

describe('subscribing', () => {
  it('makes, shows and ends subscriptions', async () => {
    await using broker = await runBroker()
    const made = await broker.call('POST', '/broker/subscriptions', {
      topic: 'order.*',
      group: 'g',
      ack_wait: 2.5,
      max_deliver: 3,
    })
    const state = { topic: 'order.*', group: 'g', ack_wait: 2.5, max_deliver: 3, pending: 0, leased: 0 }
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
      timeout: 10_000,
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
  ])('refuses %s', async (_, spec) => {
    await using broker = await runBroker()
    expect((await broker.call('POST', '/broker/subscriptions', spec)).status).toBe(400)
  })

  it.each(['max=0', 'max=1001', 'max=x', 'wait=-1', 'wait=61'])('refuses to pull with %s', async (query) => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    expect((await broker.call('POST', `/broker/subscriptions/${id}/pull?${query}`)).status).toBe(400)
  })
})

describe('pulling', () => {
  it('hands messages out as they came', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '{"user_id": 1, "product": "Laptop"}')
    expect(await pull(broker, id)).toEqual([
      {
        id: expect.any(String),
        topic: 'a',
        payload: { user_id: 1, product: 'Laptop' },
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        offset: 1,
        delivery: 1,
        ack: expect.any(String),
        attributes: { traceparent: expect.any(String) },
      },
    ])
  })

  it('waits for the first message', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const waiting = pull(broker, id, 'wait=30')
    await broker.call('POST', '/broker/publish/a', '1')
    expect(await waiting).toHaveLength(1)
  })

  it('leases nothing to a waiting consumer who went away', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const pulls = vi.spyOn(broker.bus, 'pull')
    const leaving = new AbortController()
    const left = fetch(`${broker.url}/broker/subscriptions/${id}/pull?wait=30`, {
      method: 'POST',
      signal: leaving.signal,
    })
    await vi.waitUntil(() => pulls.mock.calls.length === 1)
    leaving.abort()
    await expect(left).rejects.toThrow()
    await vi.waitUntil(() => pulls.mock.calls[0]?.[1].signal.aborted)
    await broker.call('POST', '/broker/publish/a', '1')
    expect((await pull(broker, id))[0]).toMatchObject({ delivery: 1 })
  })

  it('takes leases back when the consumer went away before the answer', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '1')
    const leaving = new AbortController()
    const original = broker.bus.pull.bind(broker.bus)
    const nacks = vi.spyOn(broker.bus, 'nack')
    vi.spyOn(broker.bus, 'pull').mockImplementationOnce(async (subscription, options) => {
      leaving.abort()
      await vi.waitUntil(() => options.signal.aborted)
      return original(subscription, { ...options, signal: new AbortController().signal })
    })
    await expect(
      fetch(`${broker.url}/broker/subscriptions/${id}/pull`, { method: 'POST', signal: leaving.signal }),
    ).rejects.toThrow()
    await vi.waitUntil(() => nacks.mock.calls.length === 1)
    // he never saw it
    expect((await pull(broker, id, 'wait=10'))[0]).toMatchObject({ delivery: 1 })
  })

  it('ends what was acknowledged, and refuses an acknowledgement that comes late', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', ack_wait: 0.1 })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const [first, second] = await pull(broker, id)
    expect(await settle(broker, id, 'ack', { acks: [first.ack] })).toEqual({
      status: 200,
      body: { acked: 1, refused: 0 },
    })
    const [again] = await pull(broker, id, 'wait=5')
    expect(again).toMatchObject({ payload: 2, delivery: 2 })
    expect(await settle(broker, id, 'ack', { acks: [second.ack] })).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT' },
    })
  })

  it('hands out again what was given back, and buries it after the last delivery', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 2 })
    await broker.call('POST', '/broker/publish/a', '1', { 'idempotency-key': 'poison' })
    for (const delivery of [1, 2]) {
      const [message] = await pull(broker, id, 'wait=5')
      expect(message.delivery).toBe(delivery)
      const nacked = await settle(broker, id, 'nack', {
        acks: [message.ack],
        delay: 0,
        reason: 'card refused: pwd=hunter2',
      })
      expect(nacked.body).toEqual({ nacked: 1, refused: 0 })
    }
    const letters = await broker.call('GET', `/broker/dead-letters?subscription=${id}`)
    expect(letters.body).toEqual({
      dead_letters: [
        expect.objectContaining({
          id: 'poison',
          payload: 1,
          subscription: id,
          deliveries: 2,
          reason: 'card refused: pwd=[hidden]',
        }),
      ],
      next: null,
    })
    expect((await broker.call('POST', '/broker/dead-letters/redrive', { subscription: id })).body).toEqual({
      redriven: 1,
    })
    expect((await pull(broker, id, 'wait=5'))[0]).toMatchObject({ id: 'poison', delivery: 1 })
  })

  it('redrives the dead letters of the ids named, by the ids their publishers gave', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    for (const name of ['1', '2']) {
      const event = { 'ce-specversion': '1.0', 'ce-id': name, 'ce-source': '/x', 'ce-type': 't' }
      await broker.call('POST', '/broker/publish/a', '0', event)
    }
    const messages = await pull(broker, id)
    await settle(broker, id, 'nack', { acks: messages.map((message: { ack: string }) => message.ack) })
    const redrive = (ids: string[]) => broker.call('POST', '/broker/dead-letters/redrive', { ids })
    expect((await redrive(['3'])).body).toEqual({ redriven: 0 })
    expect((await redrive(['2'])).body).toEqual({ redriven: 1 })
    expect((await pull(broker, id, 'wait=5'))[0].id).toBe('2')
    expect((await broker.call('POST', '/broker/dead-letters/redrive')).body).toEqual({ redriven: 1 })
  })

  it('pages through dead letters, and refuses a cursor that is none', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const messages = await pull(broker, id)
    await settle(broker, id, 'nack', { acks: messages.map((message: { ack: string }) => message.ack) })
    const first = await broker.call('GET', '/broker/dead-letters?limit=1')
    const second = await broker.call('GET', `/broker/dead-letters?limit=1&after=${first.body.next}`)
    expect([first, second].map(({ body }) => body.dead_letters[0].payload)).toEqual([1, 2])
    expect((await broker.call('GET', '/broker/dead-letters?after=x')).status).toBe(400)
  })

  it('shows large dead letters in parts, counts them all, and redrives one among them', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    const names = ['1', '2', '3', '4', '5']
    for (const name of names) {
      await broker.call('POST', '/broker/publish/a', `"${'x'.repeat(1_000_000)}"`, { 'idempotency-key': name })
    }
    const acks: string[] = []
    while (acks.length < names.length) {
      acks.push(...(await pull(broker, id)).map((message: { ack: string }) => message.ack))
    }
    await settle(broker, id, 'nack', { acks })
    const seen: string[] = []
    for (let next: string | null = ''; next !== null; ) {
      const { body } = await broker.call('GET', `/broker/dead-letters${next && `?after=${next}`}`)
      expect(JSON.stringify(body).length).toBeLessThan(8_388_608)
      seen.push(...body.dead_letters.map((letter: { id: string }) => letter.id))
      next = body.next
    }
    expect(seen).toEqual(names)
    expect((await broker.call('GET', '/metrics')).body).toMatch(/^broker_dead_letters\{[^}]*\} 5$/m)
    expect((await broker.call('POST', '/broker/dead-letters/redrive', { ids: ['5'] })).body).toEqual({ redriven: 1 })
  })

  it('keeps everything over a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'msvc-broker-'))
    const before = await runBroker({ folder })
    const id = await subscribe(before, { topic: 'a', group: 'g' })
    await before.call('POST', '/broker/publish/a', '{"kept":true}')
    await before.stop()
    {
      await using after = await runBroker({ folder })
      expect((await pull(after, id))[0].payload).toEqual({ kept: true })
    }
    await rm(folder, { recursive: true })
  })
})

describe('the description of the routes', () => {
  it('holds every route of the contract', async () => {
    await using broker = await runBroker()
    const { paths } = (await broker.call('GET', '/openapi.json')).body
    expect(
      Object.keys(paths)
        .filter((path) => path.startsWith('/broker'))
        .toSorted(),
    ).toEqual([
      '/broker/dead-letters',
      '/broker/dead-letters/redrive',
      '/broker/publish',
      '/broker/publish/{topic}',
      '/broker/stream/{topic}',
      '/broker/subscriptions',
      '/broker/subscriptions/{id}',
      '/broker/subscriptions/{id}/ack',
      '/broker/subscriptions/{id}/nack',
      '/broker/subscriptions/{id}/pull',
      '/broker/subscriptions/{id}/stream',
      '/broker/topics',
    ])
  })
})

describe('metrics', () => {
  it('count messages by topic', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', group: 'g' })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const [first, second] = await pull(broker, id)
    await settle(broker, id, 'ack', { acks: [first.ack] })
    await settle(broker, id, 'nack', { acks: [second.ack], delay: 60 })
    const { body } = await broker.call('GET', '/metrics')
    expect(body).toContain('broker_messages_published_total{topic="a",service="broker"} 2')
    expect(body).toContain('broker_messages_delivered_total{topic="a",service="broker"} 2')
    expect(body).toContain('broker_messages_acked_total{topic="a",service="broker"} 1')
    expect(body).toContain('broker_messages_nacked_total{topic="a",service="broker"} 1')
    expect(body).toContain('broker_messages_pending{topic="a",group="g",service="broker"} 1')
    expect(body).toContain('broker_dead_letters{service="broker"} 0')
  })
})
