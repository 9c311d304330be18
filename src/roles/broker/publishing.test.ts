import { describe, expect, it, vi } from 'vitest'
import { pull, subscribe } from './testing/consumer-calls.ts'
import { runBroker } from './testing/running-broker.ts'

const EVENT = { specversion: '1.0', id: '1', source: '/s', type: 'a', data: 1 }

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

  it('says so when an id comes again with another content, also in a batch', async () => {
    await using broker = await runBroker()
    const publish = (payload: string) =>
      broker.call('POST', '/broker/publish/a', payload, { 'idempotency-key': 'k' }).then(({ status }) => status)
    expect([await publish('1'), await publish('1'), await publish('2')]).toEqual([202, 202, 409])
    const lines = [
      '{"topic":"a","id":"n","payload":1}',
      '{"topic":"a","id":"n","payload":2}',
      '{"topic":"a","payload":3}',
    ]
    expect((await broker.call('POST', '/broker/publish', lines.join('\n'))).body).toEqual({
      accepted: 2,
      rejected: [{ index: 1, code: 'CONFLICT', detail: 'An earlier message has this id and says something else' }],
    })
    expect(broker.lines.filter((line) => line.includes('says something else'))).toHaveLength(2)
    expect((await broker.call('GET', '/broker/topics')).body.topics).toMatchObject([{ messages: 3 }])
  })

  it.each([
    [
      'lines',
      {},
      ['{"topic":"a","payload":1}', '{', '{"topic":"a.*","payload":1}', '{"topic":"a","payload":2}'].join('\n'),
    ],
    [
      'events',
      { 'content-type': 'application/cloudevents-batch+json' },
      JSON.stringify([EVENT, 5, { ...EVENT, type: 'a.*' }, { ...EVENT, id: '2' }]),
    ],
  ])('takes the good ones of a batch of %s and names the bad ones by index', async (_, headers, body) => {
    await using broker = await runBroker()
    expect(await broker.call('POST', '/broker/publish', body, headers)).toMatchObject({
      status: 202,
      body: { accepted: 2, rejected: [{ index: 1 }, { index: 2, detail: expect.stringContaining('index 2') }] },
    })
    expect((await broker.call('GET', '/broker/topics')).body.topics).toMatchObject([{ topic: 'a', messages: 2 }])
  })

  it('takes batches, all or nothing where that is asked for', async () => {
    await using broker = await runBroker()
    const good = '{"topic":"a","payload":1}\n{"topic":"b","payload":2}\n'
    expect(await broker.call('POST', '/broker/publish', good)).toEqual({ status: 202, body: { accepted: 2 } })
    const bad = `${good}{"topic":"$SYS","payload":1}`
    expect((await broker.call('POST', '/broker/publish?atomic=true', bad)).status).toBe(400)
    expect((await broker.call('POST', '/broker/publish?atomic=maybe', good)).status).toBe(400)
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
    await vi.waitUntil(async () => (await publish()).status === 202, { timeout: 20_000 })
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
    // what an event says of its trace stays as its producer wrote it
    expect(messages.map(({ attributes }) => attributes.traceparent)).toEqual([
      traceparent,
      `00-${traceId}-${sent[1]?.span_id}-01`,
    ])
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
    expect((await pull(broker, id))[0]?.attributes.traceparent).toBe(traceparent)
    expect(broker.spans.filter((span) => span.kind === 'producer')).toEqual([])
  })
})
