import { deflateRawSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Connected, connectTo } from '../../src/drivers/bus/nats/connected.ts'
import { Journal, leaseSubject } from '../../src/drivers/bus/nats/journal.ts'
import type { Changes, Row } from '../../src/drivers/bus/nats/journal-entry.ts'
import { Moved } from '../../src/drivers/bus/nats/moved.ts'
import { StreamReader } from '../../src/drivers/bus/nats/stream-reader.ts'
import { StreamWriter, type Write } from '../../src/drivers/bus/nats/stream-writer.ts'
import { makeStreams } from '../../src/drivers/bus/nats/streams.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'

/** Bytes that the server takes in one message. */
const MOST = 4_096

describe.skipIf(!isHere('nats-server'))('the journal of a subscription on NATS', () => {
  let server: NatsServer
  let connected: Connected
  let writer: StreamWriter
  let bus = 0
  beforeAll(async () => {
    server = await startNats({ config: `max_payload: ${MOST}` })
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(async () => {
    connected = await connectTo(`${server.url}/b${bus++}`)
    writer = new StreamWriter(connected.link, () => performance.now())
    await makeStreams(connected.manager, connected.streams, connected.address)
  })
  afterEach(async () => {
    writer.close()
    await connected.link.close()
  })

  /** @param before is called before each message, with its number from 0 on */
  function journal(before: (message: number) => Promise<void> = async () => {}): Journal {
    let message = 0
    const write = async (what: Write) => {
      await before(message++)
      return writer.write(what)
    }
    return new Journal('s', { ...connected, writer: { write } })
  }

  function changes(cursor: number, rows = 1): Changes {
    const all = Array.from({ length: rows }, (_, n): Row => [n + 1, 0, cursor, cursor])
    return { cursor, rows: all, holders: [], done: [], held: {}, activeAt: 0 }
  }

  const cursors = async (one: Journal) => (await one.read()).map(({ cursor }) => cursor)

  async function messages(): Promise<number> {
    const { jetStream, streams } = connected
    const filter = leaseSubject(streams, 's')
    const reader = new StreamReader({ jetStream, stream: streams.leases, filter, after: 0 })
    const found = await reader.read(1_000)
    reader.close()
    return found.length
  }

  it('has entries of any length, and keeps nothing from before the last whole state', async () => {
    const one = journal()
    await one.add('a', changes(1), true)
    await one.add('a', changes(2, 2_000), false)
    await one.add('a', changes(3, 2_000), true)
    await one.add('a', changes(4, 2_000), false)
    await one.add('a', changes(5), false)
    const read = await journal().read()
    expect(read.map(({ cursor }) => cursor)).toEqual([3, 4, 5])
    expect(read[1]).toMatchObject({ by: 'a', rows: changes(4, 2_000).rows })
    expect(await journal().leader()).toBe('a')
    const after = journal()
    await after.read()
    await after.add('b', changes(6), true)
    await expect.poll(messages).toBe(1)
    expect(await cursors(journal())).toEqual([6])
  })

  it('is read when the stream’s leader has made all changes, which one that was just elected may not, where there are copies', async () => {
    const { jetStream } = connected
    await journal().add('a', changes(1), true)
    Object.defineProperty(jetStream, 'hasCopies', { value: true })
    const purge = vi.spyOn(jetStream, 'purge')
    const message = vi.spyOn(jetStream, 'message')
    expect(await cursors(journal())).toEqual([1])
    expect(purge).toHaveBeenCalledBefore(message)
  })

  it('has the state before while a new one is not complete, however often that fails', async () => {
    const one = journal()
    await one.add('a', changes(1, 2_000), true)
    await one.add('a', changes(2), false)
    for (const last of [1, 2, 3]) {
      const cut = journal(async (message) => {
        if (message >= last) throw new Error('killed')
      })
      expect(await cursors(cut)).toEqual([1, 2])
      await expect(cut.add('b', changes(3, 2_000), true)).rejects.toMatchObject({ kind: 'unavailable' })
      expect(await journal().leader()).toBe('b')
    }
    const next = journal()
    expect(await cursors(next)).toEqual([1, 2])
    await next.add('c', changes(4), false)
    expect(await cursors(journal())).toEqual([1, 2, 4])
    await next.add('c', changes(5, 2_000), true)
    expect(await cursors(journal())).toEqual([5])
  })

  it('has nothing of a first state that is not complete', async () => {
    const cut = journal(async (message) => {
      if (message > 1) throw new Error('killed')
    })
    await expect(cut.add('a', changes(1, 2_000), true)).rejects.toMatchObject({ kind: 'unavailable' })
    const next = journal()
    expect(await cursors(next)).toEqual([])
    await next.add('b', changes(2, 2_000), true)
    expect(await cursors(journal())).toEqual([2])
  })

  it('takes no further part from a broker in whose place another has come', async () => {
    const first = journal()
    await first.add('a', changes(1), true)
    const slow = journal(async (message) => {
      if (message !== 2) return
      const other = journal()
      expect(await cursors(other)).toEqual([1])
      await other.add('b', changes(3), false)
    })
    await slow.read()
    await expect(slow.add('a', changes(2, 2_000), true)).rejects.toBeInstanceOf(Moved)
    const read = journal()
    expect(await cursors(read)).toEqual([1, 3])
    expect(await read.leader()).toBe('b')
  })

  it('is read where entries are one message each, as they were before there were parts', async () => {
    const subject = leaseSubject(connected.streams, 's')
    const text = (cursor: number, whole: number) => JSON.stringify({ by: 'a', whole, ...changes(cursor, 50) })
    const packed = Buffer.concat([Uint8Array.of(0), deflateRawSync(text(1, 0))])
    const { seq } = await writer.write({ subject, payload: packed, expectOfSubject: 0 })
    await writer.write({ subject, payload: text(2, seq), expectOfSubject: seq })
    const one = journal()
    expect(await one.leader()).toBe('a')
    expect(await cursors(one)).toEqual([1, 2])
    await one.add('b', changes(3, 2_000), false)
    expect(await cursors(journal())).toEqual([1, 2, 3])
  })
})
