import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import { portOf } from '../../kit/http/port-of.ts'
import { runBroker } from './testing/running-broker.ts'

interface Pushed {
  readonly type: string | undefined
  readonly id: unknown
  readonly body: Buffer
}

/** An endpoint that keeps what is pushed to it. */
async function endpoint() {
  const pushed: Pushed[] = []
  const server = createServer(async (incoming, outgoing) => {
    const { headers } = incoming
    pushed.push({ type: headers['content-type'], id: headers['ce-id'], body: await buffer(incoming) })
    outgoing.end()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${portOf(server)}/`, pushed, [Symbol.asyncDispose]: close }
}

const head = { specversion: '1.0', id: '7', source: '/shop', type: 'a' }
const structured = { 'content-type': 'application/cloudevents+json' }
const binary = (type?: string) => ({
  'ce-specversion': '1.0',
  'ce-id': '7',
  'ce-source': '/shop',
  'ce-type': 'a',
  ...(type !== undefined && { 'content-type': type }),
})
const BYTES = Buffer.from([0x00, 0xff, 0x22, 0x0a, 0x80])
const base64 = BYTES.toString('base64')
const GIF = { datacontenttype: 'image/gif' }
const XML = '<a b="1">é\n</a>'
/** What an event is published as; what is pushed of it; what of it is in the JSON of a pull, a stream, a dead letter. */
const EVENTS: readonly [
  string,
  object,
  Buffer | string,
  { type: string | undefined; body: Buffer | string },
  object,
][] = [
  ['XML in binary mode', binary('application/xml'), XML, { type: 'application/xml', body: XML }, { payload: XML }],
  [
    'text in binary mode',
    binary('text/plain; charset=utf-8'),
    '"a"',
    { type: 'text/plain; charset=utf-8', body: '"a"' },
    { payload: '"a"' },
  ],
  [
    'text that is not UTF-8',
    binary('text/plain'),
    BYTES,
    { type: 'text/plain', body: BYTES },
    { payload_base64: base64 },
  ],
  ['bytes in binary mode', binary('image/gif'), BYTES, { type: 'image/gif', body: BYTES }, { payload_base64: base64 }],
  [
    'text in structured mode',
    structured,
    JSON.stringify({ ...head, datacontenttype: 'text/plain', data: 'é"' }),
    { type: 'text/plain', body: 'é"' },
    { payload: 'é"' },
  ],
  [
    'bytes in structured mode',
    structured,
    JSON.stringify({ ...head, ...GIF, data_base64: base64 }),
    { type: 'image/gif', body: BYTES },
    { payload_base64: base64 },
  ],
  [
    'bytes of no type',
    structured,
    JSON.stringify({ ...head, data_base64: base64 }),
    { type: undefined, body: BYTES },
    { payload_base64: base64 },
  ],
  [
    'a JSON string',
    structured,
    JSON.stringify({ ...head, data: 'a' }),
    { type: 'application/json', body: '"a"' },
    { payload: 'a' },
  ],
  [
    'JSON of a type of its own',
    binary('application/vnd.shop+json'),
    '"a"',
    { type: 'application/vnd.shop+json', body: '"a"' },
    { payload: 'a' },
  ],
  [
    'null',
    structured,
    JSON.stringify({ ...head, data: null }),
    { type: 'application/json', body: 'null' },
    { payload: null },
  ],
  ['no data in structured mode', structured, JSON.stringify(head), { type: undefined, body: '' }, {}],
  ['no data in binary mode', binary(), '', { type: undefined, body: '' }, {}],
]

describe('an event stays what it was', () => {
  it.each(EVENTS)('with %s', async (_, headers, body, push, json) => {
    await using broker = await runBroker()
    await using to = await endpoint()
    const call = (path: string, spec: object) => broker.call('POST', path, spec)
    const { id } = (await call('/broker/subscriptions', { topic: 'a', group: 'pull', max_deliver: 1 })).body
    await call('/broker/subscriptions', { topic: 'a', group: 'push', push: { url: to.url } })
    const sent = await fetch(`${broker.url}/broker/publish/a`, {
      method: 'POST',
      headers: { ...headers },
      body: Buffer.from(body),
    })
    expect([sent.status, await sent.json()]).toEqual([202, { id: '7', topic: 'a', offset: 1 }])

    await vi.waitUntil(() => to.pushed.length > 0, { timeout: 20_000 })
    expect(to.pushed[0]).toEqual({ type: push.type, id: '7', body: Buffer.from(push.body) })

    const [pulled] = (await call(`/broker/subscriptions/${id}/pull`, {})).body.messages
    await call(`/broker/subscriptions/${id}/nack`, { acks: [pulled?.ack] })
    const [dead] = (await broker.call('GET', '/broker/dead-letters')).body.dead_letters
    const stream = await fetch(`${broker.url}/broker/stream/a?from=first`)
    const streamed = await firstData(stream)
    for (const message of [pulled, dead, streamed]) {
      const { payload, payload_base64 } = message
      expect({
        ...('payload' in message && { payload }),
        ...('payload_base64' in message && { payload_base64 }),
      }).toEqual(json)
      const { datacontenttype, data_form } = message.attributes
      expect([datacontenttype ?? 'application/json', data_form]).toEqual([push.type ?? 'application/json', undefined])
    }
  })

  it('in a batch', async () => {
    await using broker = await runBroker()
    const { id } = (await broker.call('POST', '/broker/subscriptions', { topic: 'a' })).body
    const events = [{ data: 'a' }, { ...GIF, data_base64: base64 }, {}].map((one, n) => ({
      ...head,
      id: `${n}`,
      ...one,
    }))
    const type = 'application/cloudevents-batch+json'
    expect(
      (await broker.call('POST', '/broker/publish', JSON.stringify(events), { 'content-type': type })).status,
    ).toBe(202)
    const { messages } = (await broker.call('POST', `/broker/subscriptions/${id}/pull?max=9`)).body
    expect(messages.map(({ payload, payload_base64 }: Record<string, unknown>) => [payload, payload_base64])).toEqual([
      ['a', undefined],
      [undefined, base64],
      [undefined, undefined],
    ])
  })
})

async function firstData(answer: Response) {
  let text = ''
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk).toString()
    const [, data] = /^data: (.*)\n\n/m.exec(text) ?? []
    if (data !== undefined) return JSON.parse(data)
  }
}
