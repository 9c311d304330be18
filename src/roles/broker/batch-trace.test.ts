import { describe, expect, it } from 'vitest'
import { runBroker } from './testing/running-broker.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${TRACE}-b7ad6b7169203331-01`

describe('a batch in a trace', () => {
  it('makes a span and an entry for each topic, not for each message', async () => {
    await using broker = await runBroker()
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: '>' })
    const lines = ['a', 'a', 'b', 'a'].map((topic) => JSON.stringify({ topic, payload: 1 }))
    await broker.call('POST', '/broker/publish', lines.join('\n'), { traceparent })
    const sent = broker.spans.filter((span) => span.kind === 'producer')
    expect(sent.map(({ operation, tags }) => [operation, tags['messaging.batch.message_count']])).toEqual([
      ['publish a', 3],
      ['publish b', undefined],
    ])
    expect(broker.lines.filter((line) => line.includes('published'))).toEqual([
      expect.stringContaining('published 3 messages to a'),
      expect.stringContaining('published b'),
    ])
    const { messages } = (await broker.call('POST', `/broker/subscriptions/${body.id}/pull?max=9`)).body
    const [a, b] = sent.map(({ span_id }) => `00-${TRACE}-${span_id}-01`)
    const parents = messages.map(({ attributes }) => attributes.traceparent)
    expect(parents).toEqual([a, a, b, a])
  })

  it('leaves each event its own trace', async () => {
    await using broker = await runBroker()
    const events = ['1', '2'].map((id) => ({ specversion: '1.0', id, source: '/s', type: 'a', traceparent }))
    const type = 'application/cloudevents-batch+json'
    await broker.call('POST', '/broker/publish', JSON.stringify(events), { 'content-type': type })
    const sent = broker.spans.filter((span) => span.kind === 'producer')
    expect(sent.map(({ trace_id }) => trace_id)).toEqual([TRACE, TRACE])
  })
})
