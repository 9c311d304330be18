import type { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from './database.ts'
import { EmbeddedBus } from './embedded-bus.ts'
import { useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { advance, publish, pull, tokens } = use

describe('a full disk', () => {
  const big = 'x'.repeat(200_000)
  let db: DatabaseSync
  /** Lets the file grow by no more than so many pages. */
  const allowPages = (more: number) => {
    const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count)
    db.exec(`PRAGMA max_page_count = ${pages + more}`)
  }

  beforeEach(async () => {
    await use.bus.close()
    const opened = await openDatabase(use.folder, use.clock)
    db = opened.database
    use.bus = new EmbeddedBus(opened, { url: 'embedded:', folder: use.folder, clock: use.clock }, use.chance)
  })

  it('refuses publications under the floor, lets consumers go on, and heals by itself', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a' })
    await publish('a', '1')
    use.freeBytes = 49_999_999
    advance(1000)
    await expect(publish('a', '2')).rejects.toMatchObject({ kind: 'full' })
    await expect(use.bus.checkWrites()).rejects.toMatchObject({ kind: 'full' })
    expect(await use.bus.ack(id, tokens(await pull(id)))).toBe(1)
    use.freeBytes = 50_000_000
    advance(2000)
    await use.bus.checkWrites()
    expect(await publish('a', '2')).toMatchObject([{ offset: 2, duplicate: false }])
  })

  it('never lets memory run ahead of the disk when a commit fails', async () => {
    const { id } = await use.bus.subscribe({ topic: '>', maxDeliver: 1 })
    await publish('a', '1', '2')
    const [first] = await pull(id, 1)
    allowPages(0)

    const failing = ['3', '4'].map((n) => use.bus.publish([{ id: n, topic: `new${n}`, payload: big, attributes: {} }]))
    for (const call of [...failing, use.bus.ack(id, [first?.ack ?? '']), pull(id)]) {
      await expect(call).rejects.toMatchObject({ kind: 'full' })
    }
    expect((await use.bus.topics()).map((t) => [t.topic, t.lastOffset])).toEqual([['a', 2]])
    expect(await use.bus.subscription(id)).toMatchObject({ pending: 2, leased: 1 })
    expect(await use.readAll('>')).toHaveLength(2)

    allowPages(1000)
    expect(await use.bus.publish([{ id: '3', topic: 'new3', payload: big, attributes: {} }])).toMatchObject([
      { offset: 1, duplicate: false },
    ])
    expect(await use.bus.ack(id, [first?.ack ?? ''])).toBe(1)
    expect((await pull(id)).map((d) => d.id)).toEqual(['2', '3'])
  })

  it('forgets what it had read of messages that were not stored in the end', async () => {
    const { id } = await use.bus.subscribe({ topic: '>' })
    await publish('a', '1')
    await publish('b', '2')
    await use.bus.ack(id, tokens(await pull(id, 1)))
    allowPages(0)
    const lost = publish('a', '3', '4')
    const pulled = pull(id, 1)
    const failing = use.bus.publish([{ id: '5', topic: 'a', payload: big, attributes: {} }])
    for (const call of [lost, pulled, failing]) await expect(call).rejects.toMatchObject({ kind: 'full' })
    allowPages(1000)
    await publish('b', '6')
    await publish('a', '7', '8')
    expect((await pull(id)).map((d) => [d.id, d.topic, d.offset])).toEqual([
      ['2', 'b', 1],
      ['6', 'b', 2],
      ['7', 'a', 2],
      ['8', 'a', 3],
    ])
  })
})
