import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pull, settle, subscribe } from '../../src/roles/broker/testing/consumer-calls.ts'
import { type RunningBroker, runBroker } from '../../src/roles/broker/testing/running-broker.ts'
import { startWith } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-letters-'))
let broker: RunningBroker

beforeAll(async () => {
  broker = await runBroker()
})
afterAll(async () => {
  await broker[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a command line against the broker. */
const msvc = (...args: readonly string[]) => startWith({ BROKER_URL: broker.url }, folder, ...args).ended

/** Has messages die in a subscription of their own; gives its id. */
async function die(topic: string, reason: string, ...names: readonly string[]): Promise<string> {
  const id = await subscribe(broker, { topic, max_deliver: 1 })
  for (const name of names)
    await broker.call('POST', `/broker/publish/${topic}`, `{"n":1e400}`, { 'idempotency-key': name })
  const acks = (await pull(broker, id)).map(({ ack }) => ack)
  await settle(broker, id, 'nack', { acks, reason })
  return id
}

it('shows dead letters and why they died, sends them once more, and throws them away', async () => {
  expect(await msvc('dead-letters', 'list')).toEqual({ code: 0, out: '', err: 'no message is a dead letter\n' })
  const id = await die('shop.sold', 'card \u001b[2Jrefused', '1', '2', '3')
  const other = await die('mail.sent', 'no such address', '4')

  const list = await msvc('dead-letters', 'list', '--limit', '3')
  const lines = list.out.split('\n')
  expect(lines[0]).toMatch(/^1 {2}shop\.sold 1 {2}2\d{3}-\d\d-\d\dT[\d:.]+Z$/)
  expect(lines[1]).toBe(`  1 delivery to ${id}: card \\u001b[2Jrefused`)
  expect(list).toMatchObject({ code: 0, err: 'there are more than these 3: --limit takes up to 10000\n' })
  const json = await msvc('dead-letters', 'list', '--subscription', other, '--json')
  expect(json.out).toContain('"payload":{"n":1e400}')
  expect(
    json.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    {
      ...{ id: '4', topic: 'mail.sent', payload: expect.anything(), offset: 1, subscription: other, deliveries: 1 },
      ...{ reason: 'no such address', timestamp: expect.any(String), attributes: expect.any(Object) },
    },
  ])

  expect(await msvc('dead-letters', 'redrive', '2', '--json')).toEqual({ code: 0, out: '{"redriven":1}\n', err: '' })
  expect(await pull(broker, id)).toMatchObject([{ id: '2', delivery: 1 }])
  expect(await msvc('dead-letters', 'redrive', '2')).toEqual({
    code: 1,
    out: '',
    err: 'error: none was redriven: no dead letter there has the id 2; see msvc dead-letters list\n',
  })
  expect(await msvc('dead-letters', 'discard', '--subscription', 'nosuch')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: broker: .*nosuch/),
  })
  expect(await msvc('dead-letters', 'discard', '1')).toEqual({ code: 0, out: 'discarded 1\n', err: '' })
  expect(await msvc('dead-letters', 'redrive', '--all')).toEqual({ code: 0, out: 'redriven 2\n', err: '' })
  expect((await msvc('dead-letters', 'list', '--json')).out).toBe('')
})

it('shows what waits for its time, and cancels it', async () => {
  expect(await msvc('delayed', 'list')).toEqual({ code: 0, out: '', err: 'no message waits for its time\n' })
  const sold = await msvc('publish', 'shop.sold', '{"n":1.0}', '--delay', '2h', '--json')
  await msvc('publish', 'shop.opened', '1', '--delay', '1h')
  const { id, deliver_at } = JSON.parse(sold.out)
  const list = await msvc('delayed', 'list')
  expect(list.out).toMatch(new RegExp(`^2\\S+Z  shop\\.opened  \\S+\n${deliver_at}  shop\\.sold  ${id}\n$`))
  const json = await msvc('delayed', 'list', '--topic', 'shop.sold', '--json')
  expect(json.out).toMatch(/^\{"id":.*"payload":\{"n":1\.0\}.*"deliver_at":".*\}\n$/)
  expect(await msvc('delayed', 'list', '--topic', 'a..b')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/dot-separated words/),
  })
  expect(await msvc('delayed', 'cancel', id, '--topic', 'shop.opened')).toMatchObject({ code: 1, out: '' })
  expect(await msvc('delayed', 'cancel', id, '--json')).toEqual({ code: 0, out: '{"cancelled":1}\n', err: '' })
  expect(await msvc('delayed', 'cancel', id)).toEqual({
    code: 1,
    out: '',
    err: expect.stringMatching(/^error: broker: No message waits with the id ".*": it may have taken its place/),
  })
  expect((await msvc('delayed', 'list')).out).toMatch(/^\S+ {2}shop\.opened {2}\S+\n$/)
})
