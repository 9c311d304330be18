import { describe, expect, it } from 'vitest'
import { pull, settle, subscribe } from './testing/consumer-calls.ts'
import { runBroker } from './testing/running-broker.ts'

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
      '/broker/dead-letters/discard',
      '/broker/dead-letters/redrive',
      '/broker/delayed',
      '/broker/delayed/{id}',
      '/broker/publish',
      '/broker/publish/{topic}',
      '/broker/stream/{topic}',
      '/broker/subscriptions',
      '/broker/subscriptions/{id}',
      '/broker/subscriptions/{id}/ack',
      '/broker/subscriptions/{id}/nack',
      '/broker/subscriptions/{id}/pull',
      '/broker/subscriptions/{id}/renew',
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
    await settle(broker, id, 'ack', { acks: [first?.ack] })
    await settle(broker, id, 'nack', { acks: [second?.ack], delay: 60 })
    const { body } = await broker.call('GET', '/metrics')
    expect(body).toContain('broker_messages_published_total{topic="a",service="broker"} 2')
    expect(body).toContain('broker_messages_delivered_total{topic="a",service="broker"} 2')
    expect(body).toContain('broker_messages_acked_total{topic="a",service="broker"} 1')
    expect(body).toContain('broker_messages_nacked_total{topic="a",service="broker"} 1')
    expect(body).toContain('broker_messages_pending{topic="a",group="g",service="broker"} 1')
    expect(body).toContain('broker_dead_letters{service="broker"} 0')
  })
})
