import { describe, expect, it } from 'vitest'
import type { Frame } from './frame.ts'
import { jsonInParts } from './json-in-parts.ts'
import { Snapshots } from './snapshots.ts'

const textOf = ({ pieces }: Frame) => Buffer.concat(pieces).toString()

/** Snapshots of a list that news come to. */
function setUp(items: unknown[] = []) {
  const news = { end: 0 }
  const snapshots = new Snapshots(news)
  let looks = 0
  return {
    snapshots,
    looks: () => looks,
    add(item: unknown) {
      items.push(item)
      news.end++
    },
    take: (name = '') =>
      snapshots.of(name, () => {
        looks++
        return { event: 'all', id: String(news.end), data: jsonInParts({ name, items: [] }, [...items]) }
      }),
  }
}

describe('Snapshots', () => {
  it('writes one event, and where the news begin', async () => {
    const { take, add } = setUp()
    expect(textOf((await take('a')).frame)).toBe('event: all\nid: 0\ndata: {"name":"a","items":[]}\n\n')
    add({ line: '\n' })
    add(2)
    const { frame, from } = await take('a')
    expect(textOf(frame)).toBe('event: all\nid: 2\ndata: {"name":"a","items":[{"line":"\\n"},2]}\n\n')
    expect(from).toBe(2)
  })

  it('writes it once for all who ask until there is news', async () => {
    const { take, add, looks } = setUp([1])
    const first = await take()
    expect((await take()).frame).toBe(first.frame)
    expect((await take('other')).frame).not.toBe(first.frame)
    expect(looks()).toBe(2)
    add(2)
    expect((await take()).frame).not.toBe(first.frame)
  })

  it('lets other work have its turn, and gives who comes meanwhile the same', async () => {
    const busy = {
      toJSON() {
        const until = performance.now() + 1
        while (performance.now() < until);
        return 1
      },
    }
    const { take, add, looks } = setUp(Array(30).fill(busy))
    const first = take()
    let turns = 0
    let isDone = false
    void first.then(() => {
      isDone = true
    })
    for (; !isDone; turns++) {
      if (turns === 2) add('news')
      if (turns === 3) expect(take()).toBe(first)
      await new Promise(setImmediate)
    }
    expect(turns).toBeGreaterThanOrEqual(10)
    expect(looks()).toBe(1)
    expect((await first).from).toBe(0)
    expect((await take()).from).toBe(1)
  })

  it('keeps no failure, and no more than a few', async () => {
    const { snapshots, take, looks } = setUp()
    const failing = () => snapshots.of('', () => Promise.reject(new Error('disk')))
    await expect(failing()).rejects.toThrow('disk')
    await take()
    for (let name = 0; name < 100; name++) await take(String(name))
    await take()
    expect(looks()).toBe(102)
  })
})
