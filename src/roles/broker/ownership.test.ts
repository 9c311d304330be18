import { describe, expect, it } from 'vitest'
import type { Identity } from '../../kit/auth/identity.ts'
import { SERVICE_SCOPES } from '../../kit/auth/scopes.ts'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

const service = (subject: string): Identity => ({ is: 'service', subject, scopes: new Set(SERVICE_SCOPES) })
const person = (subject: string, ...scopes: string[]): Identity => ({ is: 'user', subject, scopes: new Set(scopes) })
const askers = {
  reader: person('ann', 'messages:read'),
  order: service('order-service'),
  payment: service('payment-service'),
  shop: service('shop-service'),
  pretender: person('payment-service', ...SERVICE_SCOPES),
  operator: person('ops', ...SERVICE_SCOPES, 'messages:read', 'messages:admin'),
}
type Name = keyof typeof askers
const all: readonly Name[] = ['order', 'payment', 'shop', 'pretender', 'operator']

const call = (broker: RunningBroker, who: Name, method: string, path: string, body?: unknown, headers = {}) =>
  broker.call(method, path, body, { authorization: `Bearer ${who}`, ...headers })

/** Who of all gets how far. */
async function statuses(ask: (who: Name) => Promise<{ status: number }>) {
  const told: Partial<Record<Name, number>> = {}
  for (const who of all) told[who] = (await ask(who)).status
  return told
}

describe('in token mode', () => {
  it('nobody has more than his share of the subscriptions; an operator and the platform have what is left', async () => {
    await using broker = await runBroker({ askers, config: { max_subscriptions: 6, owner_share: 0.34 } })
    const subscribe = async (who: Name, group: string, topic = 'a') =>
      (await call(broker, who, 'POST', '/broker/subscriptions', { topic, group })).status
    const shop = [await subscribe('shop', 'a'), await subscribe('shop', 'b'), await subscribe('shop', 'c')]
    expect(shop).toEqual([201, 201, 429])
    for (const group of ['d', 'e', 'f']) expect(await subscribe('operator', group)).toBe(201)
    expect(await subscribe('payment', 'g')).toBe(201)
    expect(await subscribe('order', 'h')).toBe(429)
    expect(await subscribe('payment', 'payment-service', 'order.created')).toBe(201)
  })

  it('an event says no other person than who publishes it, in whatever form; a service tells whom it acted for', async () => {
    await using broker = await runBroker({ askers })
    const claims = { authid: 'victim', authtype: 'app_user', authclaims: 'admin' }
    const event = { specversion: '1.0', source: '/x', type: 'claimed' }
    const binary = { 'ce-specversion': '1.0', 'ce-source': '/x', 'ce-type': 'claimed', 'ce-id': 'b' }
    const headers = Object.fromEntries(Object.entries(claims).map(([name, value]) => [`ce-${name}`, value]))
    const forms: [string, unknown, object][] = [
      ['/broker/publish/claimed', { ...event, ...claims, id: 's' }, { 'content-type': 'application/cloudevents+json' }],
      ['/broker/publish/claimed', {}, { ...binary, ...headers }],
      ['/broker/publish', `${JSON.stringify({ ...event, ...claims, id: 'n' })}\n`, {}],
      ['/broker/publish', [{ ...event, ...claims, id: 'c' }], { 'content-type': 'application/cloudevents-batch+json' }],
    ]
    const { id } = (await call(broker, 'operator', 'POST', '/broker/subscriptions', { topic: 'claimed' })).body
    for (const who of ['pretender', 'operator', 'shop'] as const) {
      for (const [path, body, sent] of forms) {
        expect((await call(broker, who, 'POST', path, body, sent)).status).toBe(202)
        const pulled = await call(broker, 'operator', 'POST', `/broker/subscriptions/${id}/pull`, { max: 1 })
        const { authid, authtype, authclaims } = pulled.body.messages[0]?.attributes ?? {}
        const own = { authid: who === 'operator' ? 'ops' : 'payment-service', authtype: 'app_user' }
        expect({ authid, authtype, authclaims }).toEqual(who === 'shop' ? claims : own)
      }
    }
  })

  it('nobody publishes to a topic of others, in whatever form', async () => {
    await using broker = await runBroker({ askers, config: { topics: { 'shop.>': { publish: ['shop-service'] } } } })
    const toPayment = { order: 403, payment: 202, shop: 403, pretender: 403, operator: 202 }
    const toShop = { order: 403, payment: 403, shop: 202, pretender: 403, operator: 202 }
    const publish = (topic: string) => (who: Name) => call(broker, who, 'POST', `/broker/publish/${topic}`, '{}')
    expect(await statuses(publish('payment.processed'))).toEqual(toPayment)
    expect(await statuses(publish('order.created'))).toMatchObject({ order: 202, payment: 403, shop: 403 })
    expect(await statuses(publish('shop.item.sold'))).toEqual(toShop)
    expect(await statuses(publish('anything'))).toMatchObject({ order: 202, shop: 202, pretender: 202 })

    const event = { specversion: '1.0', source: '/payment-service', type: 'payment.processed', data: {} }
    const structured = { 'content-type': 'application/cloudevents+json' }
    const batched = { 'content-type': 'application/cloudevents-batch+json' }
    const binary = { 'ce-specversion': '1.0', 'ce-source': '/x', 'ce-type': 'other', 'ce-id': 'b' }
    const forms: [string, unknown, object][] = [
      ['/broker/publish/payment.processed', { ...event, id: 's', type: 'other' }, structured],
      ['/broker/publish/payment.processed', {}, binary],
      ['/broker/publish', `{"topic":"mine","payload":1}\n${JSON.stringify({ ...event, id: 'n' })}`, {}],
      ['/broker/publish', '{"topic":"mine","payload":1}\n{"topic":"payment.processed","payload":{}}', {}],
      [
        '/broker/publish',
        [
          { ...event, id: 'm', type: 'mine' },
          { ...event, id: 'c' },
        ],
        batched,
      ],
    ]
    for (const [path, body, headers] of forms) {
      expect((await call(broker, 'shop', 'POST', path, body, headers)).status).toBe(403)
    }
    const topics = (await call(broker, 'operator', 'GET', '/broker/topics')).body.topics
    expect(topics.map(({ topic }: { topic: string }) => topic)).not.toContain('mine')
  })

  it('nobody makes more than his share of the topics, one by one or at once', async () => {
    const config = { max_topics: 6, owner_share: 0.34 }
    await using broker = await runBroker({ askers, config })
    const publish = async (who: Name, topic: string) =>
      (await call(broker, who, 'POST', `/broker/publish/${topic}`, '1')).status
    const batch = (...topics: string[]) => topics.map((topic) => JSON.stringify({ topic, payload: 1 })).join('\n')
    const many = async (who: Name, ...topics: string[]) =>
      (await call(broker, who, 'POST', '/broker/publish', batch(...topics))).status
    expect(await many('shop', 'a', 'b', 'c')).toBe(429)
    expect(await many('shop', 'a', 'b', 'a')).toBe(202)
    expect([await publish('shop', 'c'), await publish('shop', 'a')]).toEqual([429, 202])
    for (const topic of ['d', 'e', 'f']) expect(await publish('operator', topic)).toBe(202)
    expect([await publish('shop', 'd'), await publish('payment', 'g'), await publish('payment', 'h')]).toEqual([
      202, 202, 429,
    ])
    expect(await publish('order', 'order.created')).toBe(202)
  })

  it('a key belongs to who publishes: another who used it first swallows nothing', async () => {
    await using broker = await runBroker({ askers })
    const event = { specversion: '1.0', source: '/orders', type: 'open', data: {} }
    const uuid = '0197f3a0-0000-7000-8000-000000000001'
    const forms: [string, unknown, Record<string, string>][] = [
      ['/broker/publish/open', '1', { 'idempotency-key': 'order-1' }],
      ['/broker/publish/open', { ...event, id: 'order-2' }, { 'content-type': 'application/cloudevents+json' }],
      ['/broker/publish/open', { ...event, id: uuid }, { 'content-type': 'application/cloudevents+json' }],
      ['/broker/publish/open', '1', { 'ce-specversion': '1.0', 'ce-source': '/x', 'ce-type': 'y', 'ce-id': 'order-4' }],
    ]
    for (const [path, body, headers] of forms) {
      const publish = async (who: Name) => (await call(broker, who, 'POST', path, body, headers)).body
      const [taken, own, again] = [await publish('shop'), await publish('order'), await publish('order')]
      expect([own.id, own.duplicate, again.duplicate]).toEqual([taken.id, undefined, true])
    }
    const line = '{"topic":"batch","payload":1,"id":"order-5"}'
    for (const who of ['shop', 'order', 'order'] as const) await call(broker, who, 'POST', '/broker/publish', line)
    expect((await broker.bus.topics()).map(({ topic, messages }) => [topic, messages])).toEqual([
      ['open', 8],
      ['batch', 2],
    ])
  })

  it('the groups of the services that own topics are theirs before they ever come', async () => {
    await using broker = await runBroker({ askers })
    const join = (topic: string) => (who: Name) =>
      call(broker, who, 'POST', '/broker/subscriptions', { topic, group: 'payment-service', from: 'first' })
    for (const topic of ['order.created', 'order.*', '>', 'other']) {
      expect(await statuses(join(topic))).toEqual({
        order: 403,
        payment: 201,
        shop: 403,
        pretender: 403,
        operator: 201,
      })
    }
  })

  it('a subscription is its maker’s, in all that is done with it', async () => {
    await using broker = await runBroker({ askers })
    const spec = { topic: 'a', group: 'shop' }
    const made = await call(broker, 'shop', 'POST', '/broker/subscriptions', spec)
    expect(made.body).toMatchObject({ owner: 'shop-service' })
    const own = await call(broker, 'pretender', 'POST', '/broker/subscriptions', { topic: 'a' })
    expect(own.body).toMatchObject({ owner: 'user:payment-service' })
    await call(broker, 'shop', 'POST', '/broker/publish/a', '1')
    const path = `/broker/subscriptions/${made.body.id}`
    const ack = (await call(broker, 'shop', 'POST', `${path}/pull`)).body.messages[0]?.ack
    const others: readonly Name[] = ['order', 'payment', 'pretender']
    for (const who of others) {
      for (const [verb, body] of [
        ['pull'],
        ['stream'],
        ['ack', { acks: [ack] }],
        ['nack', { acks: [ack], delay: 0 }],
      ] as const) {
        expect((await call(broker, who, 'POST', `${path}/${verb}`, body)).status, `${who} ${verb}`).toBe(403)
      }
      expect((await call(broker, who, 'DELETE', path)).status).toBe(403)
      expect((await call(broker, who, 'POST', '/broker/dead-letters/redrive')).status).toBe(403)
      expect((await call(broker, who, 'POST', '/broker/subscriptions', spec)).status).toBe(409)
    }
    expect((await call(broker, 'shop', 'POST', '/broker/subscriptions', spec)).body.id).toBe(made.body.id)
    expect((await call(broker, 'operator', 'POST', '/broker/subscriptions', spec)).body).toMatchObject({
      id: made.body.id,
      owner: 'shop-service',
    })
    expect((await call(broker, 'shop', 'POST', `${path}/ack`, { acks: [ack] })).status).toBe(200)
    expect((await call(broker, 'operator', 'DELETE', path)).status).toBe(204)
  })

  it('a group named like a service is that service’s, whoever came first', async () => {
    await using broker = await runBroker({ askers })
    const spec = { topic: 'a', group: 'shop-service', from: 'first' }
    await call(broker, 'order', 'POST', '/broker/publish/a', '1')
    for (const first of ['pretender', 'order'] as const) {
      const taken = await call(broker, first, 'POST', '/broker/subscriptions', { ...spec, topic: first })
      await call(broker, first, 'POST', `/broker/publish/${first}`, '1')
      await call(broker, first, 'POST', `/broker/subscriptions/${taken.body.id}/pull`)
      const own = await call(broker, 'shop', 'POST', '/broker/subscriptions', { ...spec, topic: first })
      expect(own).toMatchObject({ status: 201, body: { owner: 'shop-service' } })
      const pulled = await call(broker, 'shop', 'POST', `/broker/subscriptions/${own.body.id}/pull`)
      expect(pulled.body.messages).toMatchObject([{ topic: first, delivery: 1 }])
      expect((await call(broker, first, 'POST', `/broker/subscriptions/${taken.body.id}/pull`)).status).toBe(404)
      const again = await call(broker, first, 'POST', '/broker/subscriptions', { ...spec, topic: first })
      expect(again.status).toBe(409)
      const same = await call(broker, 'shop', 'POST', '/broker/subscriptions', { ...spec, topic: first })
      expect(same.body.id).toBe(own.body.id)
    }
  })

  it('a service looks at its own subscriptions and dead letters, and at no query of a push URL that is another’s', async () => {
    await using broker = await runBroker({ askers })
    const push = { url: 'https://example.com/hook?key=s3cret&token=hunter2' }
    const [own, other] = [
      await call(broker, 'shop', 'POST', '/broker/subscriptions', { topic: 'a', push }),
      await call(broker, 'pretender', 'POST', '/broker/subscriptions', { topic: 'b', push }),
    ].map(({ body }) => body.id)
    const look = async (who: Name, path: string) => call(broker, who, 'GET', `/broker/${path}`)
    const listed = async (who: Name) =>
      (await look(who, 'subscriptions')).body.subscriptions.map((s: { id: string }) => s.id)
    expect([await listed('shop'), await listed('order')]).toEqual([[own], []])
    expect(await listed('operator')).toEqual([own, other])
    for (const path of ['subscriptions/', 'dead-letters?subscription=']) {
      expect((await look('shop', path + own)).status, path).toBe(200)
      expect((await look('shop', path + other)).status, path).toBe(403)
      expect((await look('operator', path + other)).status, path).toBe(200)
    }
    expect((await look('shop', 'dead-letters')).status).toBe(403)
    expect((await look('shop', `subscriptions/${own}`)).body.push).toEqual({
      url: 'https://example.com/hook?key=s3cret&token=[hidden]',
    })
    expect(JSON.stringify((await look('operator', 'subscriptions')).body)).not.toContain('hunter2')
    expect((await look('reader', `subscriptions/${own}`)).body.push).toEqual({ url: 'https://example.com/hook' })
  })

  it('what nobody owns is an operator’s, until who joins the group makes it his', async () => {
    await using broker = await runBroker({ askers })
    const spec = { topic: 'a', group: 'shop' }
    const { body } = await call(broker, 'operator', 'POST', '/broker/subscriptions', spec)
    expect(body).not.toHaveProperty('owner')
    const pull = (who: Name) => call(broker, who, 'POST', `/broker/subscriptions/${body.id}/pull`)
    expect([(await pull('shop')).status, (await pull('operator')).status]).toEqual([403, 200])
    await call(broker, 'shop', 'POST', '/broker/subscriptions', spec)
    expect(await statuses(pull)).toEqual({ order: 403, payment: 403, shop: 200, pretender: 403, operator: 200 })
  })

  it('the built-in topics stay owned beside configured ones, and null opens one', async () => {
    await using broker = await runBroker({
      askers,
      config: { topics: { a: { publish: ['order-service'] }, 'order.created': null } },
    })
    const publish = async (who: Name, topic: string) =>
      (await call(broker, who, 'POST', `/broker/publish/${topic}`, '{}')).status
    expect(await publish('shop', 'payment.processed')).toBe(403)
    expect(await publish('shop', 'a')).toBe(403)
    expect(await publish('shop', 'order.created')).toBe(202)
  })
})

describe('in local mode', () => {
  it('everything is a local caller’s, and nobody’s who says that he is another', async () => {
    await using broker = await runBroker()
    const ask = async (headers: Record<string, string>) => {
      const publish = await broker.call('POST', '/broker/publish/payment.processed', '{}', headers)
      const group = { topic: 'order.created', group: 'payment-service' }
      const { status, body } = await broker.call('POST', '/broker/subscriptions', group, headers)
      return [publish.status, status, body.owner]
    }
    expect(await ask({})).toEqual([202, 201, undefined])
    expect(await ask({ 'x-caller': 'nobody' })).toEqual([401, 401, undefined])
    const scopes = { 'x-user-scopes': 'messages:publish messages:consume' }
    expect(await ask({ 'x-caller': 'user', 'x-user-id': 'ann' })).toEqual([403, 403, undefined])
    expect(await ask({ 'x-caller': 'user', 'x-user-id': 'payment-service', ...scopes })).toEqual([403, 403, undefined])
  })
})
