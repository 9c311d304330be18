import { describe, expect, it } from 'vitest'
import { Broadcast } from './broadcast.ts'
import type { EventStream } from './event-stream.ts'
import { Frame } from './frame.ts'

/** A stream that takes what it is sent while it has room. */
function reader({ hasRoom = true } = {}) {
  const ended = new AbortController()
  const over = Promise.withResolvers<void>()
  const frames: Frame[] = []
  let free = Promise.withResolvers<void>()
  const events = {
    signal: ended.signal,
    over: over.promise,
    hasRoom,
    send(event: unknown) {
      if (event instanceof Frame) frames.push(event)
      return true
    },
    async room() {
      while (!events.hasRoom && !ended.signal.aborted) await free.promise
      return !ended.signal.aborted
    },
    cut() {
      ended.abort()
      over.resolve()
      free.resolve()
    },
  } satisfies EventStream
  return {
    events,
    frames,
    texts: () => frames.map(({ pieces }) => Buffer.concat(pieces).toString()),
    open() {
      events.hasRoom = true
      free.resolve()
      free = Promise.withResolvers()
    },
  }
}

const numbers = (keptBytes = 1_000_000) => {
  let written = 0
  const news = new Broadcast<number>({
    eventOf: (number) => ({ data: String(number), id: String(++written) }),
    sizeOf: () => 100,
    keptBytes,
  })
  return { news, written: () => written }
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

describe('Broadcast', () => {
  it('writes each piece of news out once, whoever listens, and not at all when nobody wants it', async () => {
    const { news, written } = numbers()
    const readers = Array.from({ length: 50 }, () => reader())
    for (const { events } of readers) void news.follow(events, (number) => number % 2 === 0)
    news.tell(range(0, 200))
    await expect.poll(() => readers.every(({ frames }) => frames.length === 100)).toBe(true)
    expect(written()).toBe(100)
    expect(new Set(readers.flatMap(({ frames }) => frames)).size).toBe(100)
  })

  it('tells each reader everything from its place on, in order', async () => {
    const { news } = numbers()
    news.tell([1, 2])
    const place = news.end
    news.tell([3])
    const late = reader()
    const later = reader()
    void news.follow(late.events, () => true, place)
    void news.follow(later.events, () => true)
    news.tell([4, 5])
    const texts = ['id: 1\ndata: 3\n\n', 'id: 2\ndata: 4\n\n', 'id: 3\ndata: 5\n\n']
    // one of them may be served a turn after the other
    await expect.poll(() => [late.texts(), later.texts()]).toEqual([texts, texts.slice(1)])
    expect(later.frames).toEqual(late.frames.slice(1))
  })

  it('lets other work have its turn between readers, however many there are', async () => {
    const { news } = numbers()
    const busy = () => {
      const until = performance.now() + 1
      while (performance.now() < until);
      return true
    }
    const readers = Array.from({ length: 30 }, () => reader())
    for (const { events } of readers) void news.follow(events, busy)
    news.tell([1])
    let turns = 0
    while (readers.some(({ frames }) => frames.length === 0)) {
      await new Promise(setImmediate)
      turns++
    }
    expect(turns).toBeGreaterThanOrEqual(6)
  })

  it('lets other work have its turn between one reader’s news', async () => {
    const { news } = numbers()
    const slow = reader()
    const busy = () => {
      const until = performance.now() + 2
      while (performance.now() < until);
      return true
    }
    void news.follow(slow.events, busy)
    news.tell(range(0, 30))
    let turns = 0
    for (; slow.frames.length < 30; turns++) await new Promise(setImmediate)
    expect(turns).toBeGreaterThanOrEqual(10)
    slow.events.cut()
  })

  it('keeps nothing for a reader without room, and cuts it once it is too far behind', async () => {
    const { news } = numbers(1_000)
    const slow = reader({ hasRoom: false })
    const stuck = reader({ hasRoom: false })
    void news.follow(slow.events, () => true)
    const following = news.follow(stuck.events, () => true)
    news.tell(range(0, 10))
    slow.open()
    await expect.poll(() => slow.frames.length).toBe(10)
    news.tell([10])
    await expect.poll(() => slow.frames.length).toBe(11)
    stuck.open()
    await following
    expect(stuck.frames).toEqual([])
    expect(news.readers).toBe(1)
  })
})
