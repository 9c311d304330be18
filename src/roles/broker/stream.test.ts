import { describe, expect, it, vi } from 'vitest'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

interface StreamEvent {
  readonly id?: string
  readonly data: { readonly topic: string; readonly payload: unknown }
}

/** Follows a stream until it is closed; what came lies in `events`. */
async function open(broker: RunningBroker, path: string, headers: Record<string, string> = {}) {
  const closing = new AbortController()
  const answer = await fetch(broker.url + path, { headers, signal: closing.signal })
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
    await vi.waitUntil(() => stream.events.length === 2)
    expect(payloads(stream)).toEqual([{ n: 1 }, 3])
  })

  it('gives all that is kept, or from an offset on, when asked', async () => {
    await using broker = await runBroker()
    for (const n of [1, 2, 3]) await broker.call('POST', '/broker/publish/a', String(n))
    await using all = await open(broker, '/broker/stream/a?from=first')
    await using some = await open(broker, '/broker/stream/a?from=2')
    await vi.waitUntil(() => all.events.length === 3 && some.events.length === 2)
    expect([payloads(all), payloads(some)]).toEqual([
      [1, 2, 3],
      [2, 3],
    ])
  })

  it('goes on behind the Last-Event-ID of a reader who comes back', async () => {
    await using broker = await runBroker()
    for (const n of [1, 2, 3]) await broker.call('POST', '/broker/publish/a', String(n))
    const before = await open(broker, '/broker/stream/a?from=first')
    await vi.waitUntil(() => before.events.length === 3)
    await before.close()
    await using after = await open(broker, '/broker/stream/a', { 'last-event-id': before.events[0]?.id ?? '' })
    await vi.waitUntil(() => after.events.length === 2)
    expect(payloads(after)).toEqual([2, 3])
  })

  it('shares messages between the readers of a group, each to one, and keeps them while there is none', async () => {
    await using broker = await runBroker()
    const first = await open(broker, '/broker/stream/a?group=g')
    await broker.call('POST', '/broker/publish/a', '0')
    await vi.waitUntil(() => first.events.length === 1)
    await first.close()
    await broker.call('POST', '/broker/publish/a', '1')
    await using second = await open(broker, '/broker/stream/a?group=g')
    await using third = await open(broker, '/broker/stream/a?group=g')
    await vi.waitUntil(() => second.events.length + third.events.length >= 1, { timeout: 5_000 })
    for (const n of [2, 3, 4, 5]) await broker.call('POST', '/broker/publish/a', String(n))
    await vi.waitUntil(() => second.events.length + third.events.length === 5, { timeout: 5_000 })
    expect([...payloads(second), ...payloads(third)].toSorted()).toEqual([1, 2, 3, 4, 5])
  })

  it('leaves the settings of a group alone', async () => {
    await using broker = await runBroker()
    const spec = { topic: 'a', group: 'g', max_deliver: 2, ack_wait: 7 }
    const { body } = await broker.call('POST', '/broker/subscriptions', spec)
    await using _ = await open(broker, '/broker/stream/a?group=g')
    expect((await broker.call('GET', `/broker/subscriptions/${body.id}`)).body).toMatchObject(spec)
  })

  it('is refused to a group that gets its messages pushed', async () => {
    await using broker = await runBroker()
    const push = { url: 'http://127.0.0.1:9/' }
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', group: 'g', push })
    expect((await broker.call('GET', '/broker/stream/a?group=g')).status).toBe(409)
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
    await vi.waitUntil(() => stream.events.length === 8, { timeout: 10_000 })
  })

  it('ends when the broker stops', async () => {
    await using broker = await runBroker()
    const stream = await open(broker, '/broker/stream/a')
    await broker.stop()
    await stream.done
  })
})
