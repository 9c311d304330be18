import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

interface StreamEvent {
  readonly id?: string
  readonly data: { readonly topic: string; readonly payload: unknown; readonly delivery: number; readonly ack: string }
}

/** Follows a stream until it is closed; what came lies in `events`. */
async function open(broker: RunningBroker, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const closing = new AbortController()
  const answer = await fetch(broker.url + path, { method, headers, signal: closing.signal })
  const events: StreamEvent[] = []
  const read = async () => {
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) if (block.includes('data: ')) events.push(parse(block))
    }
  }
  const done = read().catch(() => {})
  const close = async () => {
    closing.abort()
    await done
  }
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    events,
    done,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function parse(block: string): StreamEvent {
  const fields = (name: string) =>
    block
      .split('\n')
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2))
  const [id] = fields('id')
  return { ...(id !== undefined && { id }), data: JSON.parse(fields('data').join('\n')) }
}

const payloads = (stream: { events: StreamEvent[] }) => stream.events.map(({ data }) => data.payload)

describe('a stream', () => {
  it('gives what is published from its beginning on', async () => {
    await using broker = await runBroker()
    await broker.call('POST', '/broker/publish/a.b', '0')
    await using stream = await open(broker, '/broker/stream/a.*')
    expect(stream.type).toBe('text/event-stream')
    await broker.call('POST', '/broker/publish/a.b', '{\n"n": 1\n}')
    await broker.call('POST', '/broker/publish/other', '2')
    await broker.call('POST', '/broker/publish/a.c', '3')
    await vi.waitUntil(() => stream.events.length === 2, { timeout: 20_000 })
    expect(payloads(stream)).toEqual([{ n: 1 }, 3])
  })

  it('gives all that is kept, or from an offset on, when asked', async () => {
    await using broker = await runBroker()
    for (const n of [1, 2, 3]) await broker.call('POST', '/broker/publish/a', String(n))
    await using all = await open(broker, '/broker/stream/a?from=first')
    await using some = await open(broker, '/broker/stream/a?from=2')
    await vi.waitUntil(() => all.events.length === 3 && some.events.length === 2, { timeout: 20_000 })
    expect([payloads(all), payloads(some)]).toEqual([
      [1, 2, 3],
      [2, 3],
    ])
  })

  it('goes on behind the Last-Event-ID of a reader who comes back', async () => {
    await using broker = await runBroker()
    for (const n of [1, 2, 3]) await broker.call('POST', '/broker/publish/a', String(n))
    const before = await open(broker, '/broker/stream/a?from=first')
    await vi.waitUntil(() => before.events.length === 3, { timeout: 20_000 })
    await before.close()
    await using after = await open(broker, '/broker/stream/a', { 'last-event-id': before.events[0]?.id ?? '' })
    await vi.waitUntil(() => after.events.length === 2, { timeout: 20_000 })
    expect(payloads(after)).toEqual([2, 3])
  })

  it('has no effect, and refuses the group that would be one', async () => {
    await using broker = await runBroker()
    const path = '/broker/stream/order.created'
    for (const query of ['group=g', 'group=', 'from=first&group=payment-service']) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await fetch(`${broker.url}${path}?${query}`, { method })
        expect(answer.status, `${method} ${query}`).toBe(400)
        if (method === 'GET') expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('POST') })
      }
    }
    const head = await fetch(`${broker.url}${path}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'order.created', group: 'g' })
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(`${broker.url}/broker/subscriptions/${body.id}/stream`, { method })
      expect(answer.status).toBe(404)
    }
    expect((await broker.call('GET', '/broker/subscriptions')).body.subscriptions).toHaveLength(1)
  })

  it.each([
    ['a bad pattern', '/broker/stream/a..b', {}],
    ['a path', '/broker/stream/a/b', {}],
    ['a bad start', '/broker/stream/a?from=yesterday', {}],
    ['a bad Last-Event-ID', '/broker/stream/a', { 'last-event-id': 'x' }],
  ])('is refused for %s', async (_, path, headers) => {
    await using broker = await runBroker()
    expect((await broker.call('GET', path, undefined, headers)).status).toBe(400)
  })

  it('carries large messages to the end', async () => {
    await using broker = await runBroker()
    const large = JSON.stringify('x'.repeat(900_000))
    for (let n = 0; n < 8; n++) await broker.call('POST', '/broker/publish/a', large)
    await using stream = await open(broker, '/broker/stream/a?from=first')
    await vi.waitUntil(() => stream.events.length === 8, { timeout: 20_000 })
  })

  it('ends when the broker stops', async () => {
    await using broker = await runBroker()
    const stream = await open(broker, '/broker/stream/a')
    await broker.stop()
    await stream.done
  })
})

describe('the stream of a subscription', () => {
  const subscribe = async (broker: RunningBroker, spec: object): Promise<string> =>
    (await broker.call('POST', '/broker/subscriptions', spec)).body.id
  const consume = (broker: RunningBroker, id: string, query = '') =>
    open(broker, `/broker/subscriptions/${id}/stream${query}`, {}, 'POST')
  const publish = async (broker: RunningBroker, ...payloads: unknown[]) => {
    for (const payload of payloads) await broker.call('POST', '/broker/publish/a', JSON.stringify(payload))
  }
  const settle = (
    broker: RunningBroker,
    id: string,
    verb: 'ack' | 'nack',
    stream: { events: StreamEvent[] },
    body = {},
  ) =>
    broker.call('POST', `/broker/subscriptions/${id}/${verb}`, {
      acks: stream.events.map(({ data }) => data.ack),
      ...body,
    })
  const state = async (broker: RunningBroker, id: string) =>
    (await broker.call('GET', `/broker/subscriptions/${id}`)).body

  it('shares messages between its readers, and keeps each until its reader says that it is through with it', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', group: 'g' })
    await using first = await consume(broker, id, '?max=2')
    await using second = await consume(broker, id, '?max=2')
    expect([first.status, first.type]).toEqual([200, 'text/event-stream'])
    await publish(broker, 1, 2, 3, 4, 5)
    await vi.waitUntil(() => first.events.length + second.events.length === 4, { timeout: 20_000 })
    expect(await state(broker, id)).toMatchObject({ pending: 5, leased: 4 })
    expect((await settle(broker, id, 'ack', first)).body).toEqual({ acked: 2, refused: 0 })
    await vi.waitUntil(() => first.events.length === 3, { timeout: 20_000 })
    await settle(broker, id, 'ack', first)
    await settle(broker, id, 'ack', second)
    expect([...payloads(first), ...payloads(second)].toSorted()).toEqual([1, 2, 3, 4, 5])
    expect(await state(broker, id)).toMatchObject({ pending: 0, leased: 0 })
  })

  it('gives back at once what a reader leaves behind; the first counts as tried from the fourth time on, what it never came to does not', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', group: 'g', max_deliver: 1 })
    await publish(broker, 1, 2, 3)
    // three times are spared
    for (const delivery of [1, 2, 3, 4]) {
      const stream = await consume(broker, id)
      await vi.waitUntil(() => stream.events.length === 3, { timeout: 20_000 })
      expect(stream.events.find(({ data }) => data.payload === 1)?.data.delivery).toBe(delivery)
      await stream.close()
      await vi.waitUntil(async () => (await state(broker, id)).leased === 0, { timeout: 20_000 })
    }
    await using last = await consume(broker, id)
    await vi.waitUntil(() => last.events.length === 2, { timeout: 20_000 })
    expect(last.events.map(({ data }) => [data.payload, data.delivery]).toSorted()).toEqual([
      [2, 1],
      [3, 1],
    ])
    const letters = await broker.call('GET', '/broker/dead-letters')
    expect(letters.body.dead_letters).toMatchObject([{ payload: 1, reason: 'the reader went away' }])
  })

  it('sends on when a lease ran out or a message was given back', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', ack_wait: 0.3 })
    await using stream = await consume(broker, id, '?max=1')
    await publish(broker, 1)
    await vi.waitUntil(() => stream.events.length >= 2, { timeout: 20_000 })
    expect(stream.events[1]?.data).toMatchObject({ payload: 1, delivery: 2 })
    const [, again] = stream.events
    await broker.call('POST', `/broker/subscriptions/${id}/nack`, { acks: [again?.data.ack], delay: 0 })
    await vi.waitUntil(() => stream.events.length >= 3, { timeout: 20_000 })
  })

  it('ends with its subscription and with the broker, whose next start hands the messages out again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'msvc-broker-'))
    const broker = await runBroker({ folder })
    const gone = await subscribe(broker, { topic: 'a' })
    const ended = await consume(broker, gone)
    await broker.call('DELETE', `/broker/subscriptions/${gone}`)
    await ended.done
    const id = await subscribe(broker, { topic: 'a', group: 'g', max_deliver: 1 })
    const stream = await consume(broker, id)
    await publish(broker, 1, 2)
    await vi.waitUntil(() => stream.events.length === 2, { timeout: 20_000 })
    await settle(broker, id, 'ack', { events: stream.events.slice(0, 1) })
    await broker.stop()
    await stream.done
    expect(broker.lines.filter((line) => line.includes('cut'))).toEqual([])
    await rm(folder, { recursive: true })
  })

  it.each([
    ['an unknown subscription', 'x', '', 404],
    ['too many at a time', undefined, '?max=1001', 400],
    ['none at a time', undefined, '?max=0', 400],
  ])('is refused for %s', async (_, unknown, query, status) => {
    await using broker = await runBroker()
    const id = unknown ?? (await subscribe(broker, { topic: 'a' }))
    expect((await broker.call('POST', `/broker/subscriptions/${id}/stream${query}`)).status).toBe(status)
  })

  it('is refused to a subscription whose messages are pushed', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', group: 'g', push: { url: 'http://127.0.0.1:9/' } })
    expect((await broker.call('POST', `/broker/subscriptions/${id}/stream`)).status).toBe(409)
  })
})
