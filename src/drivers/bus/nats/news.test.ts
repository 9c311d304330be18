import type { Msg } from '@nats-io/transport-node'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Happened } from './gathered-news.ts'
import { News, type NewsOptions } from './news.ts'

/** Between two looks, in milliseconds. */
const LOOK_MS = 1_000

describe('news', () => {
  /** Last sequences as the server has them. */
  const newest = { messages: 0, names: 0 }
  /** What lets a news come to a broker, by its name. */
  const ways = new Map<string, (text: string) => void>()
  const isCutOff = new Set<string>()
  const open: News[] = []

  beforeEach(() => {
    vi.useFakeTimers()
    Object.assign(newest, { messages: 0, names: 0 })
  })
  afterEach(() => {
    for (const news of open.splice(0)) news.close()
    ways.clear()
    isCutOff.clear()
    vi.useRealTimers()
  })

  function broker(name: string) {
    const link = {
      isUp: true,
      on: () => () => {},
      listen: (_subject: string, listener: (message: Msg) => void) =>
        ways.set(name, (text) => listener({ json: () => JSON.parse(text) } as Msg)),
      connection: {
        publish(_subject: string, text: string) {
          if (!isCutOff.has(name)) for (const [to, way] of ways) if (!isCutOff.has(to)) way(text)
        },
      },
    } as unknown as NewsOptions['link']
    const news = new News({ link, streams: { prefix: 'p' }, broker: name, newest: async () => newest })
    const told: Happened[] = []
    news.on((happened) => told.push(happened))
    open.push(news)
    return { news, told }
  }

  const looks = (count: number) => vi.advanceTimersByTimeAsync(count * LOOK_MS)

  it('come to all once they are told, and once more, since a read may have come too early', async () => {
    const [one, other] = [broker('one'), broker('other')]
    await looks(3)
    newest.messages = 2
    one.news.published({ topics: ['a'] }, [1])
    one.news.published({ topics: ['b'], delayed: true }, [2])
    await vi.advanceTimersByTimeAsync(1)
    const happened = { topics: ['a', 'b'], delayed: true }
    expect([one.told, other.told]).toEqual([[happened], [happened]])
    await looks(5)
    expect([one.told, other.told]).toEqual([
      [happened, happened],
      [happened, happened],
    ])
  })

  it('are found where nobody tells them, though later ones are told', async () => {
    const [one, other] = [broker('one'), broker('other')]
    newest.messages = 1
    isCutOff.add('one')
    one.news.published({ topics: ['a'] }, [1])
    await vi.advanceTimersByTimeAsync(1)
    isCutOff.delete('one')
    newest.messages = 2
    one.news.published({ topics: ['b'] }, [2])
    await looks(3)
    expect(one.told).not.toContainEqual(expect.objectContaining({ topics: 'all' }))
    expect(other.told).toContainEqual({ topics: 'all', names: true, delayed: true })
  })

  it('of names are found, too', async () => {
    const one = broker('one')
    newest.names = 7
    await looks(3)
    expect(one.told).toEqual([{ names: true }])
  })

  it('come again to one who could not attend to them', async () => {
    const one = broker('one')
    one.news.again({ delayed: true })
    await looks(3)
    expect(one.told).toEqual([{ delayed: true }])
  })

  it('of very many topics are of all of them', async () => {
    const [one, other] = [broker('one'), broker('other')]
    one.news.published({ topics: Array.from({ length: 65 }, (_, n) => `t${n}`) }, [])
    await vi.advanceTimersByTimeAsync(1)
    expect(other.told).toEqual([{ topics: 'all' }])
  })
})
