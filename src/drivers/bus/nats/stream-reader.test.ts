import type { Msg } from '@nats-io/transport-node'
import { describe, expect, it, vi } from 'vitest'
import type { JetStream } from './jetstream.ts'
import { type StreamMessage, StreamReader } from './stream-reader.ts'

/** What a server does with one request for messages. */
interface Fate {
  /** How many it has for the consumer; all of them without a number. */
  readonly sent?: number
  /** Which of these gets lost on the way. */
  readonly lost?: number
  /** Then the connection breaks. Else it says that there are no more. */
  readonly breaks?: true
  /** It never hears of it. */
  readonly isDead?: true
}

/** A stream of five messages, whose server treats one request after the other as it is told. */
function fakeStream(fates: Fate[], hasCopies = true) {
  let deliver: (message: Msg) => void = () => {}
  let breakDown: () => void = () => {}
  let place = 0
  let delivered = 0
  const message = (seq: number): Partial<Msg> => ({
    subject: 's.a',
    reply: `$JS.ACK.S.c.1.${seq}.${++delivered}.1000000.0`,
    data: new Uint8Array(),
  })
  const connection = {
    publish(_subject: string, _body: string, { reply }: { reply: string }) {
      const { sent = 5 - place, lost, breaks, isDead } = fates.shift() ?? {}
      if (isDead) return
      queueMicrotask(() => {
        const until = place + sent
        while (place < until) {
          const next = message(++place) as Msg
          if (place !== lost) deliver(next)
        }
        if (breaks) breakDown()
        else deliver({ subject: reply, headers: { code: 404 } } as unknown as Msg)
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
    delivered = 0
    return { name: 'c' }
  }
  const firstOf = vi.fn(async (_stream: string, _subject: string, from: number) => (from <= 5 ? from : undefined))
  return { link, hasCopies, consume, firstOf, forget() {} } as unknown as JetStream & { firstOf: typeof firstOf }
}

describe('a stream reader', () => {
  const over = (jetStream: JetStream) => new StreamReader({ jetStream, stream: 'S', filter: 's.>', after: 0 })
  const open = (...fates: Fate[]) => over(fakeStream(fates))
  const seqs = (messages: readonly StreamMessage[]) => messages.map(({ seq }) => seq)

  it('gives again what it had when the connection broke half way', async () => {
    const reader = open({ sent: 2, breaks: true })
    expect(seqs(await reader.read(10))).toEqual([1, 2, 3, 4, 5])
    expect(reader.place).toBe(5)
  })

  it('makes a consumer again that has said nothing for a second, as its server may be dead', async () => {
    vi.useFakeTimers()
    try {
      const reading = open({ isDead: true }).read(10)
      await vi.advanceTimersByTimeAsync(1_000)
      expect(seqs(await reading)).toEqual([1, 2, 3, 4, 5])
    } finally {
      vi.useRealTimers()
    }
  })

  it('begins at the same place when it was given up', async () => {
    const reader = open({ sent: 2, breaks: true }, { sent: 3, breaks: true })
    await expect(reader.read(10)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(reader.place).toBe(0)
    expect(seqs(await reader.read(10))).toEqual([1, 2, 3, 4, 5])
  })

  it('skips nothing that got lost between others, or before what comes later', async () => {
    expect(seqs(await open({ lost: 3 }).read(10))).toEqual([1, 2, 3, 4, 5])
    const reader = open({ sent: 3, lost: 3 })
    expect(seqs(await reader.read(10))).toEqual([1, 2])
    expect(seqs(await reader.read(10))).toEqual([3, 4, 5])
  })

  it('believes no consumer at once that there is no more: the copy it reads from may lag behind', async () => {
    expect(seqs(await open({ sent: 0 }, { sent: 0 }).read(10))).toEqual([1, 2, 3, 4, 5])
    const reader = open({ sent: 2 })
    expect(seqs(await reader.read(10))).toEqual([1, 2])
    expect(reader.mayHaveMore).toBe(true)
    expect(seqs(await reader.read(10))).toEqual([3, 4, 5])
    expect(reader.mayHaveMore).toBe(false)
  })

  it('asks the stream’s leader for that but once a consumer, and gives what it has where nobody leads', async () => {
    const jetStream = fakeStream([])
    jetStream.firstOf.mockRejectedValueOnce(new Error('nobody'))
    const reader = over(jetStream)
    expect(seqs(await reader.read(10))).toEqual([1, 2, 3, 4, 5])
    expect(reader.mayHaveMore).toBe(true)
    jetStream.firstOf.mockRejectedValueOnce(new Error('nobody'))
    await expect(reader.read(10)).rejects.toMatchObject({ kind: 'unavailable' })
    for (let times = 0; times < 3; times++) expect(await reader.read(10)).toEqual([])
    expect(jetStream.firstOf).toHaveBeenCalledTimes(3)
  })

  it('asks nobody where there is but one copy', async () => {
    const jetStream = fakeStream([], false)
    expect(seqs(await over(jetStream).read(10))).toEqual([1, 2, 3, 4, 5])
    expect(jetStream.firstOf).not.toHaveBeenCalled()
  })

  it('reads to the end, though its consumer doesn’t know yet of what is stored, or has sent what got lost', async () => {
    for (const fates of [[{ sent: 2 }, { sent: 0 }], [{ sent: 5, lost: 5 }], []] satisfies Fate[][]) {
      const found: number[] = []
      for await (const part of open(...fates).readOn(10)) found.push(...seqs(part))
      expect(found).toEqual([1, 2, 3, 4, 5])
    }
  })
})
