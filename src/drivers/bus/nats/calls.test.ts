import type { Msg } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import { Calls, type CallsOptions } from './calls.ts'
import { Moved } from './moved.ts'
import { streamsOf } from './streams.ts'

/** Bytes that a message takes. */
const PART = 512 * 1024

/** Brokers on one server, which loses the messages of answers that have one of these numbers. */
function network(lost: readonly number[]) {
  const listeners: { readonly subject: string; readonly listener: (message: Msg) => void }[] = []
  let answers = 0
  const publish = (subject: string, payload: string | Uint8Array, { reply = '' } = {}) => {
    const isAnswer = !subject.startsWith('bus.')
    if (isAnswer && lost.includes(++answers)) return
    const data = Buffer.from(payload)
    const message = { subject, reply, data, string: () => data.toString(), json: () => JSON.parse(data.toString()) }
    queueMicrotask(() => {
      for (const { subject: wanted, listener } of listeners)
        if (wanted === subject || (wanted.endsWith('.*') && subject.startsWith(wanted.slice(0, -1))))
          listener(message as unknown as Msg)
    })
  }
  const link = {
    isUp: true,
    room: PART,
    whenUp: async () => {},
    on: () => () => {},
    listen: (subject: string, listener: (message: Msg) => void) => listeners.push({ subject, listener }),
    connection: { publish, isClosed: () => false },
  }
  const brokers = { onGone() {}, lost() {} }
  const open = (me: string) => new Calls({ link, streams: streamsOf('bus'), brokers, me } as unknown as CallsOptions)
  return { open }
}

describe('a call', () => {
  /** What a broker gives that is asked for so many characters. */
  async function ask(size: number, lost: readonly number[] = []) {
    const { open } = network(lost)
    const [one, other] = [open('one'), open('other')]
    other.answer({ answer: async () => 'x'.repeat(size), lost() {} })
    try {
      return await one.call<string>('other', { what: 'pull', of: 'id', args: [] })
    } finally {
      one.close()
      other.close()
    }
  }

  it('brings an answer of many parts', async () => {
    const size = 3 * PART + 7
    expect((await ask(size)).length).toBe(size)
    expect(await ask(1)).toBe('x')
  })

  it('brings nothing where a part got lost, rather than what is left: that may look like an answer', async () => {
    for (const lost of [1, 2, 3]) await expect(ask(3 * PART, [lost])).rejects.toBeInstanceOf(Moved)
  })
})
