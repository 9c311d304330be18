import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { Platform } from '../config/schema.ts'
import { giveVerdict, movesOf } from '../cutover/verdict.ts'
import { AppError } from '../errors.ts'
import { PlatformCutover } from './platform-cutover.ts'
import type { Step } from './protocol.ts'
import { type LaunchedRole, type RolePlan, roleUnits } from './role-unit.ts'
import type { UnitState } from './unit-state.ts'

const root = mkdtempSync(join(tmpdir(), 'msvc-platform-cutover-'))
afterAll(() => rmSync(root, { recursive: true }))
let count = 0

/** order needs user; both are ready. `answers` says what becomes of a step. */
function stage(answers: (unit: string, step: Step) => Promise<void> = async () => {}) {
  const data = join(root, String(count++))
  mkdirSync(data)
  const settings = Platform.parse({ data })
  const places = { data, store: settings.store, bus: settings.bus, cache: settings.cache }
  const to = { ...places, store: 'postgres://shop:secret@db/shop' }
  const plan = (unit: string, needs: readonly string[]): RolePlan => ({
    unit,
    needs,
    job: { role: unit, settings, section: { host: '127.0.0.1', port: 0 }, registryUrl: '' },
  })
  const plans = [plan('user', []), plan('order', ['user'])]
  const steps: string[] = []
  const states = new Map<string, UnitState>(
    plans.map(({ unit }) => [
      unit,
      { at: 'ready', pid: 1, service: unit, instance: unit, url: 'http://x', advertised: 'http://x' },
    ]),
  )
  const launch = (unit: string): LaunchedRole => ({
    pid: 1,
    start: () => Promise.reject(new Error('not here')),
    probe: async () => {},
    async take(step) {
      steps.push(step.step === 'begin' ? `${unit} begins on the ${step.on}` : `${unit} ${step.step}`)
      await answers(unit, step)
    },
    stop: () => {},
    kill: () => {},
    exited: new Promise(() => {}),
  })
  const roles = roleUnits(launch)
  for (const unit of roles.plan(plans)) unit.launch()
  const moved: unknown[] = []
  const cutover = new PlatformCutover({
    supervision: { states: () => states },
    roles,
    places,
    clock: systemClock,
    shown: (given) => ({ ...given, store: given.store.replace('secret', '***') }),
    onMoved: (given) => void moved.push(given),
  })
  const [first] = plans
  if (!first) throw new Error('no plan')
  return { data, to, places, steps, states, cutover, moved, job: first.job }
}

const BUDGET = { budgetMs: 60_000 }

describe('a platform in a cutover', () => {
  it('is held from those that need others on, and begins on the new places', async () => {
    const { cutover, steps, data, to, moved, job } = stage()
    await cutover.hold('one', to, BUDGET)
    expect(steps).toEqual(['order hold', 'user hold'])
    expect(await cutover.move('one')).toBeGreaterThan(0)
    expect(steps.slice(2).sort()).toEqual(['order begins on the new', 'user begins on the new'])
    expect(moved).toEqual([to])
    expect(movesOf(data)).toMatchObject([{ id: 'one', to: { store: 'postgres://shop:***@db/shop' } }])
    await cutover.settled()
    expect(cutover.jobNow(job).settings).toMatchObject({ store: to.store, drain_seconds: 10 })
  })

  it('goes on where it was when it is told to, or when nothing is decided in time', async () => {
    const { cutover, steps, to, data } = stage()
    await cutover.hold('one', to, BUDGET)
    await cutover.resume('one')
    await cutover.hold('two', to, { budgetMs: 20 })
    await vi.waitUntil(() => steps.filter((step) => step.endsWith('begins on the old')).length === 4, {
      timeout: 20_000,
    })
    await expect(cutover.move('two')).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(cutover.places).toMatchObject({ store: 'sqlite:' })
    expect(readdirSync(data)).toEqual([])
  })

  it('has a unit that is started again wait for the end, wherever that is', async () => {
    const { cutover, to, job } = stage()
    await cutover.hold('one', to, BUDGET)
    const admitted = cutover.settled()
    expect(await Promise.race([admitted, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe('waits')
    await cutover.move('one')
    await admitted
    expect(cutover.jobNow(job).settings.store).toBe(to.store)
  })

  it('counts one as held that has ended', async () => {
    const { cutover, to } = stage(async (unit, { step }) => {
      if (unit === 'order' && step !== 'prepare') throw new AppError('UNAVAILABLE', 'ended with SIGKILL')
    })
    await cutover.hold('one', to, BUDGET)
    await cutover.move('one')
  })

  it('is not held while one can not be, and the others go on', async () => {
    const { cutover, steps, to, job } = stage(async (unit, { step }) => {
      if (unit === 'user' && step === 'hold') throw new AppError('CONFLICT', '3 requests under way')
    })
    await expect(cutover.hold('one', to, BUDGET)).rejects.toMatchObject({ code: 'CONFLICT', message: /3 requests/ })
    expect(steps.filter((step) => step.endsWith('begins on the old'))).toHaveLength(2)
    await cutover.settled()
    expect(cutover.jobNow(job).settings.store).toBe('sqlite:')
  })

  it('refuses while a unit is not ready, and while it is held already', async () => {
    const { cutover, states, to } = stage()
    states.set('user', { at: 'waiting' })
    await expect(cutover.hold('one', to, BUDGET)).rejects.toThrow(/user is not ready/)
    const other = stage()
    await other.cutover.hold('one', other.to, BUDGET)
    await expect(other.cutover.hold('two', other.to, BUDGET)).rejects.toThrow(/under way/)
    await other.cutover.resume('one')
  })

  it('stays when a role has given up waiting before', async () => {
    const { cutover, steps, data, to } = stage()
    await cutover.hold('one', to, BUDGET)
    giveVerdict(data, { outcome: 'stayed', id: 'one' })
    await expect(cutover.move('one')).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(steps.slice(2).sort()).toEqual(['order begins on the old', 'user begins on the old'])
    expect(movesOf(data)).toEqual([])
  })
})
