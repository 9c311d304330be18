import { EventEmitter } from 'node:events'
import type pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { DistantBells } from './distant-bells.ts'
import type { Session } from './sessions.ts'

/** Connections that are asked for one after the other. @param fails whether the statement of a connection, counted from 1, is refused */
function lines(fails: (line: number, text: string) => boolean = () => false) {
  const asked: string[] = []
  let count = 0
  async function open(): Promise<Session> {
    const line = ++count
    const client = new EventEmitter() as EventEmitter & Pick<pg.Client, 'end'>
    const query = async (sent: string | { readonly text: string; readonly values: readonly string[] }) => {
      const text = typeof sent === 'string' ? sent : sent.text
      if (fails(line, text)) throw new Error('canceling statement due to statement timeout')
      if (typeof sent !== 'string') asked.push(...(JSON.parse(sent.values[1] ?? '').bells as string[]))
    }
    const end = async () => void client.emit('end')
    return { client: Object.assign(client, { query, end }) as unknown as pg.Client, run: 'one' }
  }
  return { asked, open, count: () => count }
}

const opened: DistantBells[] = []
afterEach(() => Promise.all(opened.splice(0).map((bells) => bells.close())))

function bellsOn(open: () => Promise<Session>, lookMs?: number): DistantBells {
  const bells = new DistantBells('shop', open, lookMs)
  opened.push(bells)
  return bells
}

describe('DistantBells', () => {
  it('rings from time to time by itself, as another may have died between its commit and its ring', async () => {
    let rung = 0
    bellsOn(lines().open, 5).onRing('orders', () => rung++)
    await expect.poll(() => rung).toBeGreaterThan(3)
  })

  it('sends on the next connection what could not be sent on this one', async () => {
    const { asked, open, count } = lines((line, text) => line === 1 && text.includes('pg_notify'))
    const bells = bellsOn(open)
    bells.ring('orders')
    await expect.poll(() => asked).toEqual(['orders'])
    expect(count()).toBe(2)
  })
})
