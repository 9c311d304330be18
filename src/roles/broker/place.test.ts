import { describe, expect, it } from 'vitest'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

interface Event {
  readonly id: string
  readonly data: { readonly payload: unknown; readonly cursor: string }
}

/** The first events of a stream. */
async function first(broker: RunningBroker, path: string, count: number, lastId?: string): Promise<readonly Event[]> {
  const leaving = new AbortController()
  const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
  const answer = await fetch(`${broker.url}/broker/stream/${path}`, { headers, signal: leaving.signal })
  expect(answer.status).toBe(200)
  let text = ''
  const events = () =>
    [...text.matchAll(/^id: (.*)\ndata: (.*)\n\n/gm)].map(([, id = '', data = '']) => ({ id, data: JSON.parse(data) }))
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk).toString()
    if (events().length >= count) break
  }
  leaving.abort()
  return events()
}

const payloads = (events: readonly Event[]) => events.map(({ data }) => data.payload)

async function publish(broker: RunningBroker, ...topics: readonly string[]): Promise<void> {
  for (const [at, topic] of topics.entries()) await broker.call('POST', `/broker/publish/${topic}`, String(at + 1))
}

describe('the id of an event', () => {
  it.each(['a', '*'])('is where a reader of %s goes on, by Last-Event-ID and by ?from=', async (topic) => {
    await using broker = await runBroker()
    await publish(broker, 'other', 'a', 'other', 'a', 'other', 'a')
    const all = await first(broker, `${topic}?from=first`, topic === 'a' ? 3 : 6)
    const own = all.filter(({ data }) => [2, 4, 6].includes(Number(data.payload)))
    expect(own.map(({ id, data }) => id === data.cursor)).toEqual([true, true, true])
    const at = own[0]?.id ?? ''
    const rest = topic === 'a' ? [4, 6] : [3, 4, 5, 6]
    expect(payloads(await first(broker, `${topic}?from=${at}`, rest.length))).toEqual(rest)
    expect(payloads(await first(broker, topic, rest.length, at))).toEqual(rest)
  })

  it.each(['a', '*'])('is where a subscription to %s begins', async (topic) => {
    await using broker = await runBroker()
    await publish(broker, 'other', 'a', 'other', 'a', 'a')
    const [, second] = await first(broker, '*?from=first', 5)
    const { status, body } = await broker.call('POST', '/broker/subscriptions', { topic, group: 'g', from: second?.id })
    expect(status).toBe(201)
    const { messages } = (await broker.call('POST', `/broker/subscriptions/${body.id}/pull?max=9`)).body
    const wanted = topic === 'a' ? [4, 5] : [3, 4, 5]
    expect(messages.map(({ payload }) => payload)).toEqual(wanted)
  })

  it('is no number that somebody could count on with', async () => {
    await using broker = await runBroker()
    await publish(broker, 'a')
    const [event] = await first(broker, 'a?from=first', 1)
    expect(Number(event?.id)).toBeNaN()
  })

  it.each([
    ['a cursor of a log that was longer', 'a?from=czz', undefined],
    ['the same as Last-Event-ID', 'a', 'czz'],
    ['an offset as Last-Event-ID', 'a', '1'],
    ['an offset beyond the next one', 'a?from=4', undefined],
    ['an offset of a topic that is still to come', 'b?from=2', undefined],
    ['an offset of a pattern', '*?from=2', undefined],
  ])('is refused where nothing would come of it for long: %s', async (_, path, lastId) => {
    await using broker = await runBroker()
    await publish(broker, 'a', 'a')
    const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId }
    expect((await broker.call('GET', `/broker/stream/${path}`, undefined, headers)).status).toBe(400)
  })

  it('is refused where another message is now, as in a log that was put back from a copy', async () => {
    await using before = await runBroker()
    await publish(before, 'a', 'a', 'a')
    const last = (await first(before, 'a?from=first', 3)).at(-1)?.id ?? ''
    await using after = await runBroker()
    await publish(after, 'a', 'a', 'a', 'a')
    for (const [path, headers] of [
      [`a?from=${last}`, {}],
      ['a', { 'last-event-id': last }],
    ] as const) {
      const { status, body } = await after.call('GET', `/broker/stream/${path}`, undefined, headers)
      expect([status, body.detail]).toEqual([400, expect.stringContaining('put back from a copy')])
    }
    const wanted = { topic: 'a', group: 'g', from: last }
    expect((await after.call('POST', '/broker/subscriptions', wanted)).status).toBe(400)
  })

  it.each([
    ['a', 'czz'],
    ['a', 4],
    ['*', 2],
  ])('is refused to a subscription to %s from %s too', async (topic, from) => {
    await using broker = await runBroker()
    await publish(broker, 'a', 'a')
    expect((await broker.call('POST', '/broker/subscriptions', { topic, group: 'g', from })).status).toBe(400)
  })

  it('is an offset of its topic for whoever published it: from there on, itself included', async () => {
    await using broker = await runBroker()
    await publish(broker, 'other', 'other', 'a', 'a')
    const receipt = await broker.call('POST', '/broker/publish/a', '5')
    expect(payloads(await first(broker, `a?from=${receipt.body.offset}`, 1))).toEqual([5])
  })
})
