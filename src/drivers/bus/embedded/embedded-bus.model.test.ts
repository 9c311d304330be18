import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Delivery } from '../consumer.ts'
import type { Bus } from '../contract.ts'
import { embedded } from '../embedded.ts'

const MAX_DELIVER = 3
const ACK_WAIT_MS = 1000
const never = new AbortController().signal

/** Restarts that don't count as deliveries in vain. */
const SPARED = 3

/** A message as a careful reader of the contract would keep it. */
type Expected = { deliveries: number; spared: number } & (
  | { at: 'acknowledged' | 'dead' }
  /** `lost` is the token of a lease that ended by itself: a broker that restarts has forgotten that it ended. */
  | { at: 'waiting'; lost?: string }
  | { at: 'leased'; until: number; ack: string }
  | { at: 'delayed'; until: number }
  /** On lease when the bus was closed and opened: deliverable, or dead if that was the last time and not spared, and its token good. */
  | { at: 'interrupted'; ack: string }
)

interface Model {
  now: number
  readonly messages: Map<string, Expected>
}

interface Real {
  bus: Bus
  id: string
  readonly folder: string
  readonly clock: { time: number; now(): number; monotonic(): number }
  /** All deliveries ever made: their tokens are tried, early and late. */
  readonly deliveries: Delivery[]
}

type Step = fc.AsyncCommand<Model, Real>
const always = () => true

function isWornOut({ deliveries, spared }: Expected): boolean {
  return deliveries - spared >= MAX_DELIVER
}

/** Does what time does. */
function settle(model: Model): void {
  for (const [id, message] of model.messages) {
    if (message.at !== 'leased' && message.at !== 'delayed') continue
    if (message.until > model.now) continue
    const { deliveries, spared } = message
    if (message.at === 'delayed') model.messages.set(id, { at: 'waiting', deliveries, spared })
    else if (isWornOut(message)) model.messages.set(id, { at: 'dead', deliveries, spared })
    else model.messages.set(id, { at: 'waiting', deliveries, spared, lost: message.ack })
  }
}

function isCurrent(model: Model, { id, ack }: Delivery): boolean {
  const message = model.messages.get(id)
  return (message?.at === 'leased' || message?.at === 'interrupted') && message.ack === ack
}

const publish = (count: number): Step => ({
  check: always,
  toString: () => `publish ${count}`,
  async run(model, real) {
    const ids = Array.from({ length: count }, (_, i) => `m${model.messages.size + i}`)
    for (const id of ids) model.messages.set(id, { at: 'waiting', deliveries: 0, spared: 0 })
    await real.bus.publish(ids.map((id, i) => ({ id, topic: `t.${i % 2}`, payload: id, attributes: {} })))
  },
})

const pull = (max: number): Step => ({
  check: always,
  toString: () => `pull ${max}`,
  async run(model, real) {
    settle(model)
    const got = await real.bus.pull(real.id, { max, waitMs: 0, signal: never })
    const dead = new Set((await real.bus.deadLetters({ limit: 1000 })).map(({ id }) => id))
    for (const [id, message] of model.messages) {
      const exhausted = message.at === 'interrupted' && isWornOut(message)
      if (exhausted && dead.has(id)) model.messages.set(id, { ...message, at: 'dead' })
      expect(dead.has(id)).toBe(model.messages.get(id)?.at === 'dead')
    }
    const deliverable = [...model.messages.values()].filter(
      (message) => message.at === 'waiting' || (message.at === 'interrupted' && !isWornOut(message)),
    )
    expect(got).toHaveLength(Math.min(max, deliverable.length))
    for (const { id, delivery, payload, ack } of got) {
      const message = model.messages.get(id)
      expect(message?.at === 'waiting' || message?.at === 'interrupted').toBe(true)
      expect(delivery).toBe((message?.deliveries ?? 0) + 1)
      expect(payload).toBe(id)
      const { spared = 0 } = message ?? {}
      model.messages.set(id, { at: 'leased', deliveries: delivery, spared, until: model.now + ACK_WAIT_MS, ack })
    }
    real.deliveries.push(...got)
  },
})

/** Acknowledges or gives back some of all deliveries ever made, so mostly also late ones. */
const end = (picks: readonly number[], nackDelayMs: number | undefined): Step => ({
  check: always,
  toString: () => `${nackDelayMs === undefined ? 'ack' : `nack ${nackDelayMs}`} ${picks}`,
  async run(model, real) {
    settle(model)
    const chosen = new Set(picks.map((pick) => real.deliveries[pick % Math.max(1, real.deliveries.length)]))
    const known = [...chosen].filter((delivery) => delivery !== undefined)
    const tokens = known.map(({ ack }) => ack)
    const current = known.filter((delivery) => isCurrent(model, delivery))
    const ended =
      nackDelayMs === undefined
        ? await real.bus.ack(real.id, tokens)
        : await real.bus.nack(real.id, tokens, { delayMs: nackDelayMs })
    expect(ended).toBe(current.length)
    for (const { id, delivery } of current) {
      const counts = { deliveries: delivery, spared: model.messages.get(id)?.spared ?? 0 }
      if (nackDelayMs === undefined) model.messages.set(id, { at: 'acknowledged', ...counts })
      else if (isWornOut({ at: 'dead', ...counts })) model.messages.set(id, { at: 'dead', ...counts })
      else model.messages.set(id, { at: 'delayed', ...counts, until: model.now + nackDelayMs })
    }
  },
})

const pass = (ms: number): Step => ({
  check: always,
  toString: () => `pass ${ms} ms`,
  async run(model, real) {
    model.now += ms
    real.clock.time += ms
  },
})

const restart: Step = {
  check: always,
  toString: () => 'restart',
  async run(model, real) {
    await real.bus.close()
    real.bus = await embedded.open({ url: 'embedded:', folder: real.folder, clock: real.clock })
    for (const [id, message] of model.messages) {
      const ack = message.at === 'leased' ? message.ack : message.at === 'waiting' ? message.lost : undefined
      const { deliveries, spared } = message
      if (ack === undefined) continue
      model.messages.set(id, { at: 'interrupted', deliveries, spared: Math.min(SPARED, spared + 1), ack })
    }
  },
}

const count: Step = {
  check: always,
  toString: () => 'count',
  async run(model, real) {
    settle(model)
    const all = [...model.messages.values()]
    // Burials that are due are written before this is read.
    await real.bus.deadLetters({ limit: 1 })
    await real.bus.deadLetters({ limit: 1 })
    expect(await real.bus.subscription(real.id)).toMatchObject({
      pending: all.filter(({ at }) => at !== 'acknowledged' && at !== 'dead').length,
      leased: all.filter(({ at }) => at === 'leased').length,
    })
  },
}

it('keeps the promises of the contract whatever happens in whatever order', { timeout: 300_000 }, async () => {
  const picks = fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 })
  const delay = fc.constantFrom(0, 10, 500, 5000)
  const steps = fc.commands(
    [
      fc.integer({ min: 1, max: 4 }).map(publish),
      fc.integer({ min: 1, max: 6 }).map(pull),
      picks.map((chosen) => end(chosen, undefined)),
      fc.tuple(picks, delay).map(([chosen, ms]) => end(chosen, ms)),
      fc.constantFrom(1, 10, 499, 1000, 5000).map(pass),
      fc.constant(restart),
      fc.constant(count),
    ],
    { maxCommands: 60 },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const folder = await mkdtemp(join(tmpdir(), 'msvc-bus-'))
      const clock = { time: 0, now: () => 1e12 + clock.time, monotonic: () => clock.time }
      const bus = await embedded.open({ url: 'embedded:', folder, clock })
      const { id } = await bus.subscribe({ topic: 't.*', maxDeliver: MAX_DELIVER, ackWaitMs: ACK_WAIT_MS })
      const real: Real = { bus, id, folder, clock, deliveries: [] }
      try {
        await fc.asyncModelRun(() => ({ model: { now: 0, messages: new Map() }, real }), commands)
      } finally {
        await real.bus.close()
        await rm(folder, { recursive: true })
      }
    }),
    { numRuns: 100 },
  )
})
