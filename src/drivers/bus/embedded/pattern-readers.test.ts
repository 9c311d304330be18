import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../clock.ts'
import type { Bus } from '../contract.ts'
import { embeddedDriver } from '../embedded.ts'

let folder: string
let bus: Bus
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
  bus = await embeddedDriver().open({ url: 'embedded:', folder, clock: systemClock })
})
afterEach(async () => {
  await bus.close()
  await rm(folder, { recursive: true })
})

/** How many of these reads ended in the same turn of the event loop, at most. */
async function mostInATurn(reads: readonly (() => Promise<unknown>)[]): Promise<number> {
  const ended = new Map<number, number>()
  let turn = 0
  let ticking = setImmediate(function tick() {
    turn++
    ticking = setImmediate(tick)
  })
  const note = () => ended.set(turn, (ended.get(turn) ?? 0) + 1)
  await Promise.all(reads.map((read) => read().then(note)))
  clearImmediate(ticking)
  return Math.max(...ended.values())
}

it.each([
  ['everything', '>'],
  ['one topic', 't.1'],
  ['what there is none of', '*.nope'],
])('lets readers of %s, who begin far behind, go one in a turn', async (_, pattern) => {
  for (let at = 0; at < 4_000; at += 500) {
    await bus.publish(
      Array.from({ length: 500 }, (_, n) => {
        return { id: `${at + n}`, topic: `t.${(at + n) % 1_000}`, payload: '1', attributes: {} }
      }),
    )
  }
  const after = await bus.place(pattern, 'first')
  const read = () => bus.read(pattern, { after, limit: 64 })
  expect(await mostInATurn(Array.from({ length: 20 }, () => read))).toBe(1)
})

it('reads at once for those who follow', async () => {
  await bus.publish([{ id: '1', topic: 't', payload: '1', attributes: {} }])
  const after = await bus.place('>', 'first')
  const read = () => bus.read('>', { after, limit: 64 })
  expect(await mostInATurn(Array.from({ length: 20 }, () => read))).toBe(20)
})
