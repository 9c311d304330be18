import { describe, expect, it } from 'vitest'
import { runBroker } from './testing/running-broker.ts'

const ndjson = { 'content-type': 'application/x-ndjson' }
const json = { 'content-type': 'application/cloudevents+json' }
const event = (more: object) => ({ specversion: '1.0', id: 'e', source: '/test', type: 'a', data: 1, ...more })
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()

describe('the key of a message', () => {
  it('is said beside it, by an event itself, or in a line of a batch, and is one of its attributes', async () => {
    await using broker = await runBroker()
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', group: 'g' })
    await broker.call('POST', '/broker/publish/a?key=x', '1')
    await broker.call('POST', '/broker/publish/a?key=x', '2')
    await broker.call('POST', '/broker/publish/a', event({ id: 'e1', partitionkey: 'y' }), json)
    const binary = {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': 'e2',
      'ce-source': '/test',
      'ce-type': 'a',
      'ce-partitionkey': 'y',
    }
    await broker.call('POST', '/broker/publish/a', '4', binary)
    const lines = ['{"topic":"a","payload":5,"key":"x"}', '{"topic":"a","payload":6,"key":"z"}']
    await broker.call('POST', '/broker/publish', lines.join('\n'), ndjson)
    const pull = async () => {
      const answer = await broker.call('POST', `/broker/subscriptions/${body.id}/pull?max=9`)
      return answer.body.messages
    }
    const got = await pull()
    expect(got.map(({ payload, attributes }) => [payload, attributes.partitionkey])).toEqual([
      [1, 'x'],
      [1, 'y'],
      [6, 'z'],
    ])
    expect(await pull()).toEqual([])
    await broker.call('POST', `/broker/subscriptions/${body.id}/ack`, { acks: got.map(({ ack }) => ack) })
    expect((await pull()).map(({ payload }) => payload)).toEqual([2, 4])
  })

  it('holds up no other in a stream', async () => {
    await using broker = await runBroker()
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a' })
    for (const key of ['x', 'x', 'y']) await broker.call('POST', `/broker/publish/a?key=${key}`, '1')
    const leaving = new AbortController()
    const url = `${broker.url}/broker/subscriptions/${body.id}/stream`
    const answer = await fetch(url, { method: 'POST', signal: leaving.signal })
    const keys: string[] = []
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data))
      keys.splice(0, keys.length, ...events.map(({ attributes }) => attributes.partitionkey))
      if (keys.length === 2)
        await broker.call('POST', `/broker/subscriptions/${body.id}/ack`, { acks: [events[0].ack] })
      if (keys.length === 3) break
    }
    leaving.abort()
    expect(keys).toEqual(['x', 'y', 'x'])
  })
})

describe('the delay of a message', () => {
  it('is said beside it, by an event itself, or in a line of a batch', async () => {
    await using broker = await runBroker()
    const { body: subscription } = await broker.call('POST', '/broker/subscriptions', { topic: 'a' })
    const { status, body } = await broker.call('POST', '/broker/publish/a?delay=20', '1')
    expect(status).toBe(202)
    expect(body).toEqual({ id: expect.any(String), topic: 'a', deliver_at: expect.stringMatching(/Z$/) })
    const timed = event({ deliverat: inSeconds(20) })
    expect((await broker.call('POST', '/broker/publish/a', timed, json)).body).toHaveProperty('deliver_at')
    expect((await broker.call('POST', '/broker/publish/a', timed, json)).body).toMatchObject({ duplicate: true })
    const batch = [
      '{"topic":"a","payload":3,"delay":20}',
      '{"topic":"a","payload":4}',
      JSON.stringify({ ...timed, id: 'f' }),
    ]
    expect((await broker.call('POST', '/broker/publish', batch.join('\n'), ndjson)).body).toMatchObject({ accepted: 3 })
    const past = event({ id: 'g', deliverat: inSeconds(-5) })
    expect((await broker.call('POST', '/broker/publish/a', past, json)).body).toHaveProperty('offset')

    const pull = async (wait: number) => {
      const answer = await broker.call('POST', `/broker/subscriptions/${subscription.id}/pull?max=9&wait=${wait}`)
      return answer.body.messages
    }
    expect((await pull(0)).map(({ id, payload }) => (id === 'g' ? id : payload))).toEqual([4, 'g'])
    broker.pass(20_000)
    const rest = []
    while (rest.length < 4) rest.push(...(await pull(5)))
    expect(rest.map(({ id, payload }) => (id.length === 1 ? id : payload)).toSorted()).toEqual([1, 3, 'e', 'f'])
  })

  it.each([
    ['a delay that is none', '?delay=soon', '1', {}],
    ['a negative one', '?delay=-1', '1', {}],
    ['one beyond 30 days', '?delay=2592001', '1', {}],
    ['an empty key', '?key=', '1', {}],
    ['a misspelt word', '?dealy=5', '1', {}],
    ['a time that is none', '', event({ deliverat: 'tomorrow' }), json],
    ['a time too far ahead', '', event({ deliverat: inSeconds(2_600_000) }), json],
    ['a time and a delay', '?delay=5', event({ deliverat: inSeconds(5) }), json],
    ['two keys', '?key=x', event({ partitionkey: 'y' }), json],
  ])('is refused: %s', async (_, query, body, headers: Record<string, string>) => {
    await using broker = await runBroker()
    expect((await broker.call('POST', `/broker/publish/a${query}`, body, headers)).status).toBe(400)
    expect(await broker.bus.topics()).toEqual([])
  })

  it('tells of a bad line by its number', async () => {
    await using broker = await runBroker()
    const lines = ['{"topic":"a","payload":1}', '{"topic":"a","payload":2,"delay":-1}']
    const { status, body } = await broker.call('POST', '/broker/publish', lines.join('\n'), ndjson)
    expect([status, body]).toEqual([
      202,
      expect.objectContaining({ accepted: 1, rejected: [expect.objectContaining({ index: 1 })] }),
    ])
  })

  it('says that another message with its id waits', async () => {
    await using broker = await runBroker()
    const headers = { 'idempotency-key': 'mine' }
    await broker.call('POST', '/broker/publish/a?delay=60', '1', headers)
    const { status, body } = await broker.call('POST', '/broker/publish/a', '2', headers)
    expect([status, body.detail]).toEqual([409, expect.stringContaining('waits')])
  })
})
