import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EventParser, type ReceivedEvent } from '../../kit/http/event-parser.ts'
import { EntryPage } from './contract.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'
import { onEachStore } from './testing/stores.ts'

onEachStore((newPlace) => {
  let server: Awaited<ReturnType<typeof openLogServer>>

  beforeEach(async () => {
    server = await openLogServer(newPlace())
  })
  afterEach(() => server.close())

  /** An entry so many seconds before now. */
  const entry = (message: string, secondsAgo = 0, more: object = {}) => ({
    timestamp: new Date(NOW - secondsAgo * 1000).toISOString(),
    level: 'INFO',
    service: 'order-service',
    instance: 'a',
    message,
    ...more,
  })

  describe('GET /logs/tail', () => {
    /** Reads events until there are so many. */
    async function events(answer: Response, count: number): Promise<ReceivedEvent[]> {
      const received: ReceivedEvent[] = []
      const parser = new EventParser((event) => received.push(event), 1_000_000)
      const reader = answer.body?.getReader()
      while (received.length < count) {
        const { value, done } = (await reader?.read()) ?? { done: true }
        if (done) break
        parser.push(value)
      }
      await reader?.cancel()
      return received
    }
    const texts = (received: ReceivedEvent[]) => received.map((event) => JSON.parse(event.data).message)

    it('gives entries as they come, filtered', async () => {
      const answer = await server.app.request('/logs/tail?level=WARNING&q=payment%20failed')
      expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/)
      await server.post('/logs', [
        entry('payment failed', 0, { level: 'INFO' }),
        entry('payment is fine', 0, { level: 'ERROR' }),
        entry('payment\n\ndata: failed', 0, { level: 'ERROR' }),
      ])
      expect(texts(await events(answer, 1))).toEqual(['payment\n\ndata: failed'])
    })

    it('finds the words that a search finds, also behind a line break in metadata', async () => {
      const answer = await server.app.request('/logs/tail?q=failed')
      await server.post('/logs', entry('payment', 0, { metadata: { output: 'started\nfailed' } }))
      await server.post('/logs', entry('failed'))
      expect(texts(await events(answer, 1))).toEqual(['payment'])
    })

    it.each(['Last-Event-ID', 'from'])(
      'goes on after the last id seen, by %s, and refuses what is none',
      async (way) => {
        const tail = (id: string) =>
          way === 'from'
            ? server.app.request(`/logs/tail?from=${id}`)
            : server.app.request('/logs/tail', { headers: { [way]: id } })
        await server.post('/logs', [entry('a', 3), entry('b', 2), entry('c', 1)])
        const { entries } = EntryPage.parse(await server.get('/logs'))
        const answer = await tail(entries[2]?.id ?? '')
        await server.post('/logs', entry('d'))
        expect(texts(await events(answer, 3))).toEqual(['b', 'c', 'd'])
        expect((await tail('c1')).status).toBe(400)
      },
    )

    it('goes on by arrival, so that what its sender had kept back is not missed', async () => {
      const follow = (id: string) => server.app.request('/logs/tail', { headers: { 'Last-Event-ID': id } })
      const first = await server.app.request('/logs/tail')
      await server.post('/logs', entry('one'))
      const [seen] = await events(first, 1)
      await server.post('/logs', entry('two', 600))
      await server.post('/logs', entry('three'))
      expect(texts(await events(await follow(seen?.id ?? ''), 2))).toEqual(['two', 'three'])
      const another = (seen?.id ?? '').replace(/-.*/, '-00000000-0')
      expect(texts(await events(await follow(another), 1))).toEqual(['three'])
    })

    it('ends when the role stops', async () => {
      const answer = await server.app.request('/logs/tail')
      server.stop()
      expect(await events(answer, 1)).toEqual([])
    })
  })
})
