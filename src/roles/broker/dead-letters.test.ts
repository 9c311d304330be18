import { describe, expect, it } from 'vitest'
import { pull, settle, subscribe } from './testing/consumer-calls.ts'
import { runBroker } from './testing/running-broker.ts'

describe('dead letters', () => {
  it('hands out again what was given back, and buries it after the last delivery', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 2 })
    await broker.call('POST', '/broker/publish/a', '1', { 'idempotency-key': 'poison' })
    for (const delivery of [1, 2]) {
      const [message] = await pull(broker, id, 'wait=5')
      expect(message?.delivery).toBe(delivery)
      const nacked = await settle(broker, id, 'nack', {
        acks: [message?.ack],
        delay: 0,
        reason: 'card refused: pwd=hunter2',
      })
      expect(nacked.body).toEqual({ nacked: 1, refused: 0 })
    }
    const letters = await broker.call('GET', `/broker/dead-letters?subscription=${id}`)
    expect(letters.body).toEqual({
      dead_letters: [
        expect.objectContaining({
          id: 'poison',
          payload: 1,
          subscription: id,
          deliveries: 2,
          reason: 'card refused: pwd=[hidden]',
        }),
      ],
      next: null,
    })
    expect((await broker.call('POST', '/broker/dead-letters/redrive', { subscription: id })).body).toEqual({
      redriven: 1,
    })
    expect((await pull(broker, id, 'wait=5'))[0]).toMatchObject({ id: 'poison', delivery: 1 })
  })

  it('redrives the dead letters of the ids named, by the ids their publishers gave', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    for (const name of ['1', '2']) {
      const event = { 'ce-specversion': '1.0', 'ce-id': name, 'ce-source': '/x', 'ce-type': 't' }
      await broker.call('POST', '/broker/publish/a', '0', event)
    }
    const messages = await pull(broker, id)
    await settle(broker, id, 'nack', { acks: messages.map(({ ack }) => ack) })
    const redrive = (ids: string[]) => broker.call('POST', '/broker/dead-letters/redrive', { ids })
    expect((await redrive(['3'])).body).toEqual({ redriven: 0 })
    expect((await redrive(['2'])).body).toEqual({ redriven: 1 })
    expect((await pull(broker, id, 'wait=5'))[0]?.id).toBe('2')
    expect((await broker.call('POST', '/broker/dead-letters/redrive')).body).toEqual({ redriven: 1 })
  })

  it('redrives nothing where what was asked for is misspelt', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    const [message] = await pull(broker, id, 'wait=5')
    await settle(broker, id, 'nack', { acks: [message?.ack] })
    const refused = await broker.call('POST', '/broker/dead-letters/redrive', { id: ['1'] })
    expect(refused).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/no such field; did you mean ids\?$/) },
    })
    expect((await broker.call('GET', '/broker/dead-letters')).body.dead_letters).toHaveLength(1)
  })

  it('throws away what nobody will ever handle, and is well again', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    for (const name of ['1', '2', '3']) await broker.call('POST', '/broker/publish/a', '0', { 'idempotency-key': name })
    const messages = await pull(broker, id)
    await settle(broker, id, 'nack', { acks: messages.map(({ ack }) => ack) })
    const discard = (body: object) => broker.call('POST', '/broker/dead-letters/discard', body)
    expect(await discard({})).toMatchObject({ status: 400, body: { detail: expect.stringContaining('name a subscr') } })
    expect((await discard({ ids: ['2', 'unknown'] })).body).toEqual({ discarded: 1 })
    expect((await broker.call('GET', '/health')).body).toMatchObject({ status: 'degraded' })
    expect((await discard({ subscription: id })).body).toEqual({ discarded: 2 })
    expect((await broker.call('GET', '/health')).body).toMatchObject({ status: 'healthy' })
    expect((await broker.call('GET', '/broker/dead-letters')).body).toEqual({ dead_letters: [], next: null })
  })

  it('pages through dead letters, and refuses a cursor that is none', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const messages = await pull(broker, id)
    await settle(broker, id, 'nack', { acks: messages.map(({ ack }) => ack) })
    const first = await broker.call('GET', '/broker/dead-letters?limit=1')
    const second = await broker.call('GET', `/broker/dead-letters?limit=1&after=${first.body.next}`)
    expect([first, second].map(({ body }) => body.dead_letters[0]?.payload)).toEqual([1, 2])
    expect((await broker.call('GET', '/broker/dead-letters?after=x')).status).toBe(400)
  })

  it('shows large dead letters in parts, counts them all, and redrives one among them', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    const names = ['1', '2', '3', '4', '5']
    for (const name of names) {
      await broker.call('POST', '/broker/publish/a', `"${'x'.repeat(1_000_000)}"`, { 'idempotency-key': name })
    }
    const acks: string[] = []
    while (acks.length < names.length) {
      acks.push(...(await pull(broker, id)).map(({ ack }) => ack))
    }
    await settle(broker, id, 'nack', { acks })
    const seen: string[] = []
    for (let next: string | null = ''; next !== null; ) {
      const { body } = await broker.call('GET', `/broker/dead-letters${next && `?after=${next}`}`)
      expect(JSON.stringify(body).length).toBeLessThan(8_388_608)
      seen.push(...body.dead_letters.map((letter: { id: string }) => letter.id))
      next = body.next
    }
    expect(seen).toEqual(names)
    expect((await broker.call('GET', '/metrics')).body).toMatch(/^broker_dead_letters\{[^}]*\} 5$/m)
    expect((await broker.call('POST', '/broker/dead-letters/redrive', { ids: ['5'] })).body).toEqual({ redriven: 1 })
  })
})
