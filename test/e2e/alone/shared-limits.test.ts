import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { leastTime } from '../../least-time.ts'
import { isHere } from '../../servers/programs.ts'
import { startRedis } from '../../servers/redis.ts'
import { type Booted, boot } from '../boot.ts'

const GATEWAYS = ['gateway', 'gateway-2', 'gateway-3', 'gateway-4']
const PER_SECOND = 100
const BURST = 25
/** Requests a second at each gateway: three times its share. */
const OFFERED = 75

interface Tally {
  readonly seconds: number
  readonly allowed: number
  readonly refused: number
  /** By status, what was neither allowed nor over the limit. */
  readonly failed: readonly number[]
  readonly slowestMs: number
  /** As many as one bucket lets through: between the times when they were asked and those when they were answered. */
  readonly due: { readonly least: number; readonly most: number }
}

/** When the last of a load was answered: nothing is left in a bucket then, which all of them ask for three times what it has. */
let emptyAt = 0

/** How many a bucket lets through that was empty once and is asked at these times: as a machine stands still for a while, that is less than its rate. */
function letThrough(times: readonly number[]): number {
  let [level, at, count] = [0, emptyAt, 0]
  for (const time of times.toSorted((a, b) => a - b)) {
    level = Math.min(BURST, level + ((time - at) / 1_000) * PER_SECOND)
    at = time
    if (level < 1) continue
    level--
    count++
  }
  return count
}

/** Asks all gateways for a while, each at the same pace. */
async function load(platform: Booted, seconds: number): Promise<Tally> {
  const statuses: number[] = []
  const times: { readonly asked: number[]; readonly answered: number[] } = { asked: [], answered: [] }
  let slowestMs = 0
  async function ask(gateway: string) {
    const begun = performance.now()
    times.asked.push(begun)
    const answer = await platform.fetch(gateway, '/gateway/api/users/1').catch(() => undefined)
    await answer?.arrayBuffer()
    times.answered.push(performance.now())
    slowestMs = Math.max(slowestMs, performance.now() - begun)
    statuses.push(answer?.status ?? 0)
  }
  const asked: Promise<void>[] = []
  const begun = performance.now()
  for (let round = 0; round < OFFERED * seconds; round++) {
    asked.push(...GATEWAYS.map(ask))
    await sleep(Math.max(0, begun + ((round + 1) * 1_000) / OFFERED - performance.now()))
  }
  const elapsed = (performance.now() - begun) / 1_000
  await Promise.all(asked)
  const due = [letThrough(times.asked), letThrough(times.answered)]
  emptyAt = performance.now()
  return {
    seconds: elapsed,
    allowed: statuses.filter((status) => status === 200).length,
    refused: statuses.filter((status) => status === 429).length,
    failed: statuses.filter((status) => status !== 200 && status !== 429),
    slowestMs: Math.round(slowestMs),
    due: { least: Math.min(...due), most: Math.max(...due) },
  }
}

/** Asserts that what was allowed is what one bucket lets through, but for five a second. */
function expectShared({ allowed, due, seconds, failed }: Tally): void {
  expect(failed).toEqual([])
  expect(allowed).toBeGreaterThan(due.least - 5 * seconds)
  expect(allowed).toBeLessThan(due.most + 5 * seconds)
}

/** Asks until the burst is used up. */
async function drain(platform: Booted): Promise<void> {
  for (let tally = await load(platform, 0.5); tally.refused < tally.allowed; ) tally = await load(platform, 0.5)
}

/** Asks for a while in which the cache answered in time, as it does where a machine isn't too busy to ask it. */
async function loadOverRedis(platform: Booted, seconds: number): Promise<Tally> {
  for (let tries = 1; ; tries++) {
    const before = await localVerdicts(platform)
    const tally = await load(platform, seconds)
    const locally = (await localVerdicts(platform)) - before
    if (locally < tally.allowed / 50 || tries === 12) return tally
  }
}

function told(when: string, { allowed, seconds, failed, slowestMs, due }: Tally): string {
  const rate = (allowed / seconds).toFixed(1)
  return `${when}: ${rate} allowed a second, ${allowed} of ${due.least} to ${due.most}, ${failed.length} failed, slowest answer ${slowestMs} ms`
}

async function localVerdicts(platform: Booted): Promise<number> {
  const texts = await Promise.all(GATEWAYS.map(async (name) => (await platform.fetch(name, '/metrics')).text()))
  return texts.reduce((sum, text) => sum + Number(/^gateway_limited_locally_total\S* (\d+)/m.exec(text)?.[1] ?? 0), 0)
}

describe.skipIf(!isHere('redis-server'))('four gateways over Redis', () => {
  it('refuse what one was told to revoke, let through what one limit says in all, and at most their shares of it while Redis is gone', async () => {
    // a bucket is not worth a wait for the disk
    await using redis = await startRedis({ options: ['--appendfsync', 'everysec'] })
    await using platform = await boot(['registry', 'user', ...GATEWAYS], {
      platform: { cache: redis.url },
      sections: { gateway: { read_limit: { per_second: PER_SECOND, burst: BURST } } },
    })
    const registered = async () =>
      ((await (await platform.fetch('registry', '/registry/services/api-gateway')).json()) as { healthy: number })
        .healthy
    await expect.poll(registered).toBe(GATEWAYS.length)
    const lines: string[] = []

    const refusedAfter = async (round: number) => {
      const token = await platform.token(`ann-${round}`)
      const headers = { authorization: `Bearer ${token}` }
      const use = async () => (await platform.fetch('gateway-4', '/gateway/api/users/1', { headers })).status
      expect(await use()).toBe(200)
      const body = new URLSearchParams({ token })
      expect((await platform.fetch('gateway', '/oauth/revoke', { method: 'POST', body })).status).toBe(200)
      const revokedAt = performance.now()
      await expect.poll(use, { interval: 100 }).toBe(401)
      return performance.now() - revokedAt
    }
    expect(await leastTime(1_500, refusedAfter, 5)).toBeLessThan(1_500)

    await drain(platform)
    const shared = await loadOverRedis(platform, 5)
    lines.push(told('over Redis', shared))
    expectShared(shared)

    const [, gone] = await Promise.all([sleep(500).then(() => redis.kill()), load(platform, 4)])
    lines.push(told('Redis killed after half a second', gone))
    expect(gone.failed).toEqual([])
    expect(gone.allowed).toBeLessThanOrEqual(gone.due.most + BURST)
    expect(gone.allowed).toBeGreaterThan(gone.due.least * 0.8)
    expect(await localVerdicts(platform)).toBeGreaterThan(gone.allowed)
    expect((await platform.fetch('gateway', '/readyz')).status).toBe(200)
    expect(await (await platform.fetch('gateway', '/health')).json()).toMatchObject({ status: 'degraded' })

    await redis.start()
    const begun = performance.now()
    const settled = async () => {
      const before = await localVerdicts(platform)
      await load(platform, 0.2)
      return (await localVerdicts(platform)) === before
    }
    await expect.poll(settled, { timeout: 5_000, interval: 10 }).toBe(true)
    lines.push(`shared again ${Math.round(performance.now() - begun)} ms after Redis was back`)
    await drain(platform)
    const again = await loadOverRedis(platform, 5)
    lines.push(told('over Redis again', again))
    expectShared(again)

    redis.freeze()
    const hanging = await load(platform, 3)
    redis.resume()
    lines.push(told('Redis hanging', hanging))
    expect(hanging.failed).toEqual([])
    expect(hanging.allowed).toBeLessThanOrEqual(hanging.due.most + BURST)
    process.stdout.write(`${lines.join('\n')}\n`)
  }, 400_000)
})
