import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Delivery, ReturnOptions } from '../consumer.ts'
import type { Bus } from '../contract.ts'
import { embedded } from '../embedded.ts'

const MAX_DELIVER = 3
const ACK_WAIT_MS = 1000
const never = new AbortController().signal

/** A message as a careful reader of the contract would keep it; `until` is when a lease or a delay ends. */
interface Expected {
  readonly id: string
  readonly key: string | undefined
  at: 'waiting' | 'leased' | 'delayed' | 'acknowledged' | 'dead'
  until: number
  /** Whether it was handed out since it was published or redriven: then it comes again before any later one of its key. */
  begun: boolean
  /** It was a dead letter once: those behind it needn't wait for it. */
  hasDied: boolean
}

interface Model {
  now: number
  readonly messages: Expected[]
}

interface Real {
  bus: Bus
  id: string
  readonly folder: string
  readonly clock: { time: number; now(): number; monotonic(): number }
  readonly deliveries: Delivery[]
}

type Step = fc.AsyncCommand<Model, Real>

const isOver = ({ at }: Expected) => at === 'acknowledged' || at === 'dead'
/** Whether it stands in the way of others of its key. */
const isOut = (message: Expected) => message.begun && !isOver(message)

function step(name: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return {
    check: () => true,
    toString: () => name,
    async run(model, real) {
      for (const message of model.messages) if (!isOver(message) && message.until <= model.now) message.at = 'waiting'
      await learnDeaths(model, real)
      await run(model, real)
      await learnDeaths(model, real)
    },
  }
}

/** When a message has had its deliveries is another model's business: here it is asked for. */
async function learnDeaths(model: Model, real: Real): Promise<void> {
  await real.bus.deadLetters({ limit: 1 })
  const dead = new Set((await real.bus.deadLetters({ limit: 1000 })).map(({ id }) => id))
  for (const message of model.messages) {
    if (message.at === 'dead') expect(dead.has(message.id)).toBe(true)
    if (dead.has(message.id)) Object.assign(message, { at: 'dead', hasDied: true })
  }
}

const publish = (keys: readonly (string | undefined)[]): Step =>
  step(`publish ${keys}`, async (model, real) => {
    const fresh = keys.map((key, at): Expected => {
      return { id: `m${model.messages.length + at}`, key, at: 'waiting', until: 0, begun: false, hasDied: false }
    })
    model.messages.push(...fresh)
    await real.bus.publish(
      fresh.map(({ id, key }, at) => {
        return { id, topic: `t.${at % 2}`, payload: '1', attributes: key === undefined ? {} : { partitionkey: key } }
      }),
    )
  })

/** How many may be handed out now: of each key one. */
function deliverable({ messages }: Model): number {
  const busy = new Set(messages.filter(isOut).map(({ key }) => key))
  const may = messages.filter(
    ({ at, begun, key }) => at === 'waiting' && (begun || !busy.has(key) || key === undefined),
  )
  const keys = new Set(may.map(({ key }) => key).filter((key) => key !== undefined))
  return keys.size + may.filter(({ key }) => key === undefined).length
}

const pull = (max: number): Step =>
  step(`pull ${max}`, async (model, real) => {
    const before = deliverable(model)
    const got = await real.bus.pull(real.id, { max, waitMs: 0, signal: never, consumer: 'c' })
    // a delivery that would be one too many makes a dead letter instead, and frees its key
    await learnDeaths(model, real)
    expect(got.length).toBeLessThanOrEqual(Math.min(max, before))
    expect(got.length).toBe(Math.min(max, deliverable(model)))
    for (const { id } of got) {
      const at = model.messages.findIndex((message) => message.id === id)
      const message = model.messages[at]
      if (message === undefined) throw new Error(`${id} was never published`)
      expect(message.at).toBe('waiting')
      const others = model.messages.filter(({ key }, other) => key !== undefined && key === message.key && other !== at)
      expect(others.filter(isOut).map((other) => other.id)).toEqual([])
      if (!message.begun && !message.hasDied) {
        const earlier = others.filter((other) => model.messages.indexOf(other) < at)
        expect(earlier.filter((other) => !isOver(other) && !other.hasDied).map((other) => other.id)).toEqual([])
      }
      Object.assign(message, { at: 'leased', until: model.now + ACK_WAIT_MS, begun: true })
    }
    real.deliveries.push(...got)
  })

/** Settles some of the last deliveries, some of them for the second time. */
const settle = (picks: readonly number[], how: ReturnOptions | undefined): Step =>
  step(`${JSON.stringify(how ?? 'ack')} ${picks}`, async (model, real) => {
    for (const pick of new Set(picks)) {
      const delivery = real.deliveries.at(-1 - pick)
      const message = model.messages.find(({ id }) => id === delivery?.id)
      if (delivery === undefined || message === undefined) continue
      const count =
        how === undefined
          ? await real.bus.ack(real.id, [delivery.ack])
          : await real.bus.nack(real.id, [delivery.ack], how)
      if (count === 0) continue
      if (how === undefined) message.at = 'acknowledged'
      else Object.assign(message, { at: 'delayed', until: model.now + (how.delayMs ?? 0) })
      if (how?.left) passTime(model, real, 60_000)
      await learnDeaths(model, real)
    }
  })

const pass = (ms: number): Step => step(`pass ${ms} ms`, async (model, real) => passTime(model, real, ms))

function passTime(model: Model, real: Real, ms: number): void {
  model.now += ms
  real.clock.time += ms
}

const restart: Step = step('restart', async (model, real) => {
  await real.bus.close()
  real.bus = await embedded.open({ url: 'embedded:', folder: real.folder, clock: real.clock })
  for (const message of model.messages) if (message.at === 'leased') message.at = 'waiting'
})

/** One that was left too often comes again later. */
const release: Step = step('release', async (model, real) => {
  await real.bus.release(real.id, 'c')
  passTime(model, real, 60_000)
})

const redrive: Step = step('redrive', async (model, real) => {
  await real.bus.redrive({ subscription: real.id })
  for (const message of model.messages) {
    if (message.at === 'dead') Object.assign(message, { at: 'waiting', until: 0, begun: false })
  }
})

it('keeps the messages of a key in order whatever happens', { timeout: 300_000 }, async () => {
  const key = fc.constantFrom('x', 'y', undefined)
  const picks = fc.array(fc.nat(5), { minLength: 1, maxLength: 4 })
  const how = fc.constantFrom<(ReturnOptions | undefined)[]>(
    undefined,
    undefined,
    undefined,
    undefined,
    { delayMs: 0 },
    { delayMs: 500 },
    { unseen: true, delayMs: 10 },
    { left: true },
  )
  const steps = fc.commands(
    [
      fc.array(key, { minLength: 1, maxLength: 9 }).map(publish),
      fc.integer({ min: 1, max: 5 }).map(pull),
      fc.integer({ min: 1, max: 5 }).map(pull),
      fc.integer({ min: 1, max: 5 }).map(pull),
      fc.tuple(picks, how).map(([chosen, options]) => settle(chosen, options)),
      fc.tuple(picks, how).map(([chosen, options]) => settle(chosen, options)),
      fc.tuple(picks, how).map(([chosen, options]) => settle(chosen, options)),
      fc.constantFrom(1, 10, 499, 1000).map(pass),
      fc.constant(restart),
      fc.constant(release),
      fc.constant(redrive),
    ],
    { maxCommands: 60, size: 'max' },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
      const clock = { time: 0, now: () => 1e12 + clock.time, monotonic: () => clock.time }
      const bus = await embedded.open({ url: 'embedded:', folder, clock })
      const { id } = await bus.subscribe({ topic: 't.*', maxDeliver: MAX_DELIVER, ackWaitMs: ACK_WAIT_MS })
      const real: Real = { bus, id, folder, clock, deliveries: [] }
      try {
        await fc.asyncModelRun(() => ({ model: { now: 0, messages: [] }, real }), commands)
      } finally {
        await real.bus.close()
        await rm(folder, { recursive: true })
      }
    }),
    { numRuns: 100 },
  )
})
