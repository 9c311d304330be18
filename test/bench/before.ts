import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inTurn } from './in-turn.ts'
import type { Load } from './load.ts'
import { EXECUTABLE, OFFSET, type Platform, startPlatform } from './platform.ts'
import { type Bar, ratio } from './report.ts'
import { up } from './startup.ts'

/** What a ratio of two figures of this machine may be off by: a change that is slower by more is one. */
const NOISE = 0.05
const BATCH = 1_000
const STARTS = 5
const ROUNDS_OF_A_START = 2

/**
 * This build beside an earlier one, both as a whole platform, in turn. Both are started anew for every few rounds: what one of nine processes
 * compiles in its first seconds makes a platform faster or slower by a fifth for as long as it runs.
 * @param before the earlier executable
 */
export async function besideBefore(wrk: string, folder: string, before: string): Promise<Bar[]> {
  const starts: Awaited<ReturnType<typeof besideOnce>>[] = []
  for (let start = 0; start < STARTS; start++) {
    starts.push(await besideOnce(wrk, join(folder, String(start)), before))
  }
  return LOADS.map(({ name, atLeast = 1 - NOISE }) => {
    const all = (which: 'before' | 'now') => starts.flatMap((rounds) => rounds[name]?.[which] ?? [])
    const rounds = { before: all('before'), now: all('now') }
    return {
      name: `${name}, of the build before`,
      figure: ratio(rounds, 'now', 'before'),
      bar: { atLeast },
      rounds,
    }
  })
}

/** The rounds of one start of both, by load. */
async function besideOnce(
  wrk: string,
  folder: string,
  before: string,
): Promise<Record<string, Record<string, number[]>>> {
  const config = 'gateway:\n  write_limit: null\n'
  await using then = await startPlatform(join(folder, 'then'), 'all', { config, executable: before })
  await using now = await startPlatform(join(folder, 'now'), 'all', { config, offset: OFFSET + 1_000 })
  const between = (which: string) => allPaid((which === 'now' ? now : then).url('order'))
  const rounds: Record<string, Record<string, number[]>> = {}
  for (const { name, load } of LOADS) {
    console.error(`${name} …`)
    rounds[name] = await inTurn(wrk, { before: load(then), now: load(now) }, { between, count: ROUNDS_OF_A_START })
  }
  return rounds
}

/** How long both take to start, and what they hold in memory then. */
export async function startBeside(folder: string, before: string): Promise<Bar[]> {
  mkdirSync(folder, { recursive: true })
  const starts = { before: [], now: [] } as Record<'before' | 'now', Awaited<ReturnType<typeof up>>[]>
  for (let round = 0; round < STARTS; round++) {
    starts.before.push(await up(join(folder, `before-${round}`), { executable: before }))
    starts.now.push(await up(join(folder, `now-${round}`), { executable: EXECUTABLE }))
  }
  return (['milliseconds', 'megabytes'] as const).map((unit) => {
    const rounds = { before: starts.before.map((one) => one[unit]), now: starts.now.map((one) => one[unit]) }
    const name = unit === 'milliseconds' ? 'msvc up until all are ready' : 'all processes of msvc up, resident'
    return {
      name: `${name}, of the build before`,
      figure: ratio(rounds, 'now', 'before'),
      bar: { atMost: 1 + NOISE },
      rounds,
    }
  })
}

interface Compared {
  readonly name: string
  /** Default: no slower than noise. */
  readonly atLeast?: number
  readonly load: (platform: Platform) => Load
}

const JSON_TYPE = { 'content-type': 'application/json' }
const TEXT = 'x'.repeat(180)

const LOADS: readonly Compared[] = [
  {
    name: 'user service',
    load: (platform) => ({ url: `${platform.url('user')}/api/users/1`, connections: 32, seconds: 3 }),
  },
  {
    name: 'gateway',
    load: (platform) => ({
      url: `${platform.url('gateway')}/gateway/api/users/1`,
      connections: 32,
      seconds: 3,
      headers: { authorization: `Bearer ${platform.token('users:read')}` },
    }),
  },
  {
    name: 'publishes',
    load: (platform) => ({
      url: `${platform.url('broker')}/broker/publish/bench.message`,
      method: 'POST',
      connections: 64,
      seconds: 3,
      headers: JSON_TYPE,
      body: `'{"n":' .. n .. ',"text":"${TEXT}"}'`,
    }),
  },
  {
    name: `publishes in batches of ${BATCH}`,
    atLeast: 1.8,
    load: (platform) => ({
      url: `${platform.url('broker')}/broker/publish`,
      method: 'POST',
      connections: 4,
      seconds: 3,
      headers: { 'content-type': 'application/x-ndjson' },
      body: `string.rep('{"topic":"bench.message","payload":{"text":"${TEXT}"}}\\n', ${BATCH})`,
    }),
  },
  {
    name: 'orders',
    atLeast: 1.25,
    load: (platform) => ({
      url: `${platform.url('gateway')}/gateway/api/orders`,
      method: 'POST',
      connections: 64,
      seconds: 4,
      warmUpSeconds: 6,
      headers: { ...JSON_TYPE, authorization: `Bearer ${platform.token('orders:write', 'orders:read')}` },
      body: `'{"user_id":' .. (n % 2 + 1) .. ',"product_name":"Laptop","quantity":1}'`,
    }),
  },
]

/** Waits until no order is pending; gives the milliseconds it took, to 20 ms. */
export async function allPaid(orderService: string): Promise<number> {
  const since = performance.now()
  const patience = AbortSignal.timeout(60_000)
  while (!patience.aborted) {
    const pending = (await (await fetch(`${orderService}/api/orders?status=pending&limit=1`)).json()) as unknown[]
    if (pending.length === 0) return Math.round(performance.now() - since)
    await delay(20)
  }
  throw new Error('orders are still pending a minute after the end')
}
