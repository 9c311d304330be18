import type { Msg } from '@nats-io/transport-node'
import { expect, it } from 'vitest'
import type { NatsLink } from './link.ts'
import { StreamWriter } from './stream-writer.ts'

/** A server that gives one answer after the other, the last one for ever; undefined for none. */
function linkTo(answers: readonly (object | undefined)[]): { link: NatsLink; sent: () => number } {
  let hear: (message: Msg) => void = () => {}
  let sent = 0
  const link: Partial<NatsLink> = {
    isUp: true,
    epoch: 1,
    most: 1_000_000,
    listen: (_subject, listener) => {
      hear = listener
      return {} as ReturnType<NatsLink['listen']>
    },
    on: () => () => {},
    connection: {
      publish(_subject: string, _payload: unknown, { reply }: { reply: string }) {
        const said = answers[Math.min(sent++, answers.length - 1)]
        if (said === undefined) return
        queueMicrotask(() => hear({ subject: reply, data: new Uint8Array(1), json: () => said } as unknown as Msg))
      },
    } as unknown as NatsLink['connection'],
  }
  return { link: link as NatsLink, sent: () => sent }
}

it.each([
  ['a duplicate of none', { duplicate: true, seq: 0 }],
  [
    'one that is being stored',
    { error: { code: 400, err_code: 10158, description: 'duplicate message id is in process' } },
  ],
])('asks again while a cluster says of a write that it is %s: it may still be lost', async (_what, underWay) => {
  const { link, sent } = linkTo([underWay, underWay, { duplicate: true, seq: 7 }])
  const writer = new StreamWriter(link, () => 0)
  await expect(writer.write({ subject: 's', payload: 'x', id: '1' })).resolves.toEqual({ seq: 7, duplicate: true })
  expect(sent()).toBe(3)
  writer.close()
})

it('sends again what had no answer for a second, whatever else is answered: a cluster drops what has no leader', async () => {
  const { link, sent } = linkTo([undefined, undefined, { seq: 3 }, { seq: 1 }, { seq: 2 }])
  let now = 0
  const writer = new StreamWriter(link, () => now)
  const both = Promise.all(['1', '2'].map((id) => writer.write({ subject: 'leaderless', payload: 'x', id })))
  await expect(writer.write({ subject: 'other', payload: 'x', id: '3' })).resolves.toMatchObject({ seq: 3 })
  now = 1_000
  await expect(both).resolves.toMatchObject([{ seq: 1 }, { seq: 2 }])
  expect(sent()).toBe(5)
  writer.close()
})

it('sends no more than a little again while nothing is answered at all', async () => {
  const { link, sent } = linkTo([undefined])
  let now = 0
  const writer = new StreamWriter(link, () => now)
  const payload = 'x'.repeat(600_000)
  const writes = Promise.allSettled(['1', '2', '3', '4'].map((id) => writer.write({ subject: 's', payload, id })))
  now = 1_000
  await expect.poll(sent).toBe(6)
  now = 6_000
  await writes
  expect(sent()).toBeLessThanOrEqual(8)
  writer.close()
})
