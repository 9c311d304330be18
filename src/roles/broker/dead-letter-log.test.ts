import { expect, it, vi } from 'vitest'
import { runBroker } from './testing/running-broker.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

it('a message that dies leaves an entry and a failed span in its trace, with the reason', async () => {
  await using broker = await runBroker()
  const subscribe = async (group: string, ack_wait: number) =>
    (await broker.call('POST', '/broker/subscriptions', { topic: 'a', group, max_deliver: 1, ack_wait })).body.id
  const [refusing, silent] = [await subscribe('refusing', 30), await subscribe('silent', 0.1)]
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`
  await broker.call('POST', '/broker/publish/a', '1', { traceparent, 'idempotency-key': 'm1' })
  for (const id of [refusing, silent]) {
    const { body } = await broker.call('POST', `/broker/subscriptions/${id}/pull`)
    if (id === silent) continue
    const acks = [body.messages[0]?.ack]
    await broker.call('POST', `/broker/subscriptions/${id}/nack`, { acks, reason: 'not an order: user_id' })
  }
  const lines = () => broker.lines.filter((line) => line.includes('dead letter'))
  await vi.waitUntil(() => lines().length === 2, { timeout: 20_000 })
  expect(lines().toSorted()).toEqual([
    'A message on a is a dead letter of refusing: not an order: user_id',
    'A message on a is a dead letter of silent: lease expired',
  ])
  expect(broker.spans.filter(({ operation }) => operation === 'bury a')).toMatchObject([
    { trace_id: TRACE, status: 'error' },
    { trace_id: TRACE, status: 'error' },
  ])
})
