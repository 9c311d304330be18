import type { Msg } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import type { JetStream } from './jetstream.ts'
import { StreamReader } from './stream-reader.ts'

/** What a server does with a request for messages: how many it sends before the connection breaks; all of them without a number. */
type Fate = number | undefined

/** A stream of five messages, whose server treats one request after the other as it is told. */
function fakeStream(fates: Fate[]): JetStream {
  let deliver: (message: Msg) => void = () => {}
  let breakDown: () => void = () => {}
  let place = 0
  const message = (seq: number): Partial<Msg> => ({
    subject: 's.a',
    reply: `$JS.ACK.S.c.1.${seq}.${seq}.1000000.0`,
    data: new Uint8Array(),
  })
  const connection = {
    publish(_subject: string, _body: string, { reply }: { reply: string }) {
      const sent = fates.shift()
      queueMicrotask(() => {
        const until = sent === undefined ? 5 : place + sent
        while (place < until) deliver(message(++place) as Msg)
        if (sent === undefined) deliver({ subject: reply, headers: { code: 404 } } as unknown as Msg)
        else breakDown()
      })
    },
  }
  const link = {
    epoch: 1,
    most: 1_048_576,
    whenUp: async () => {},
    listen(_subject: string, listener: typeof deliver) {
      deliver = listener
      return { unsubscribe() {} }
    },
    on(_what: string, listener: () => void) {
      breakDown = listener
      return () => {}
    },
    connection,
  }
  const consume = async (_stream: string, { after }: { after: number }) => {
    place = after
    return { name: 'c' }
  }
  return { link, consume, forget() {} } as unknown as JetStream
}

describe('a stream reader', () => {
  const open = (...fates: Fate[]) =>
    new StreamReader({ jetStream: fakeStream(fates), stream: 'S', filter: 's.>', after: 0 })

  it('gives again what it had when the connection broke half way', async () => {
    const reader = open(2, undefined)
    expect((await reader.read(10)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
    expect(reader.place).toBe(5)
  })

  it('begins at the same place when it was given up', async () => {
    const reader = open(2, 3, undefined)
    await expect(reader.read(10)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(reader.place).toBe(0)
    expect((await reader.read(10)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
  })
})
