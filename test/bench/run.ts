import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../servers/server.ts'
import { allPaid, besideBefore, startBeside } from './before.ts'
import { fastUpstream } from './fast-upstream.ts'
import { inTurn, ROUNDS } from './in-turn.ts'
import { intake } from './intake.ts'
import { type Load, measure } from './load.ts'
import { writeNginxConfig } from './nginx.ts'
import { ensurePackage, ensureProgram } from './peers.ts'
import { startPlatform } from './platform.ts'
import { start } from './processes.ts'
import { type Bar, isMet, median, ratio, report } from './report.ts'
import { services } from './services.ts'
import { startup } from './startup.ts'
import { stores } from './stores.ts'

const SECONDS = 3
const folder = mkdtempSync(join(tmpdir(), 'msvc-bench-'))
const wrk = ensureProgram('wrk')
/** Packages of peers, kept from run to run. */
const peers = join(tmpdir(), 'msvc-bench-peers')
/** An earlier build to measure this one beside. */
const before = process.env.MSVC_BEFORE

async function userService(): Promise<Bar> {
  await using platform = await startPlatform(join(folder, 'user'), ['user'])
  const url = `${platform.url('user')}/api/users/1`
  const body = await (await fetch(url)).text()
  const port = await freePort()
  await using _bare = await start(
    process.execPath,
    [join(import.meta.dirname, 'bare-server.ts'), String(port), body],
    `http://127.0.0.1:${port}/`,
  )
  const rounds = await inTurn(wrk, {
    'user service': { url, connections: 32, seconds: SECONDS },
    'bare node:http': { url: `http://127.0.0.1:${port}/api/users/1`, connections: 32, seconds: SECONDS },
  })
  return {
    name: 'user service, GET /api/users/1, of bare node:http',
    figure: ratio(rounds, 'user service', 'bare node:http'),
    bar: { atLeast: 0.35 },
    rounds,
  }
}

async function gateway(): Promise<Bar[]> {
  const nginx = ensureProgram('nginx', 'nginx-light')
  ensurePackage(peers, 'fast-gateway', '3.4.7')
  await using platform = await startPlatform(join(folder, 'gateway'), 'all')
  const upstream = platform.url('user')
  const [nginxPort, fastPort] = [await freePort(), await freePort()]
  const config = writeNginxConfig(join(folder, 'nginx'), nginxPort, Number(new URL(upstream).port))
  const path = '/gateway/api/users/1'
  await using _nginx = await start(nginx, ['-c', config], `http://127.0.0.1:${nginxPort}${path}`)
  const script = join(import.meta.dirname, 'fast-gateway-server.ts')
  await using _fast = await start(
    process.execPath,
    [script, peers, String(fastPort), upstream],
    `http://127.0.0.1:${fastPort}${path}`,
  )
  const headers = { authorization: `Bearer ${platform.token('users:read')}` }
  const load = { connections: 32, seconds: SECONDS, headers }
  const rounds = await inTurn(wrk, {
    gateway: { url: `${platform.url('gateway')}${path}`, ...load },
    nginx: { url: `http://127.0.0.1:${nginxPort}${path}`, ...load },
    'fast-gateway': { url: `http://127.0.0.1:${fastPort}${path}`, ...load },
  })
  const note =
    'all three in front of the same user service; the gateway with token, metrics and tracing on, the others bare'
  return [
    {
      name: 'gateway of nginx, one worker',
      figure: ratio(rounds, 'gateway', 'nginx'),
      bar: { atLeast: 0.45 },
      rounds,
      note,
    },
    {
      name: 'gateway of fast-gateway',
      figure: ratio(rounds, 'gateway', 'fast-gateway'),
      bar: { atLeast: 1 },
      rounds: {},
    },
  ]
}

async function orders(): Promise<Bar[]> {
  await using platform = await startPlatform(join(folder, 'orders'), 'all')
  const token = platform.token('orders:write', 'orders:read', 'users:write')
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const load: Load = {
    url: `${platform.url('gateway')}/gateway/api/orders`,
    method: 'POST',
    connections: 64,
    seconds: 5,
    headers,
    body: `'{"user_id":' .. (n % 2 + 1) .. ',"product_name":"Laptop","quantity":1}'`,
  }
  // five processes have code to warm up, each with a share of the load
  await measure(wrk, { ...load, seconds: 6 })
  await allPaid(platform.url('order'))
  const acknowledged: number[] = []
  const lags: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { perSecond, failed, p99Ms } = await measure(wrk, load)
    if (failed > 0) throw new Error(`orders: ${failed} requests failed`)
    const lag = await allPaid(platform.url('order'))
    acknowledged.push(perSecond)
    lags.push(lag)
    console.error(`  orders: ${perSecond.toLocaleString('en')}/s, p99 ${p99Ms} ms, all paid ${lag} ms after the end`)
  }
  const [p50s, p99s]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    const { failed, p50Ms, p99Ms } = await measure(wrk, { ...load, connections: 256 })
    if (failed > 0) throw new Error(`orders of 256: ${failed} requests failed`)
    await allPaid(platform.url('order'))
    p50s.push(p50Ms)
    p99s.push(p99Ms)
    console.error(`  orders of 256: p50 ${p50Ms} ms, p99 ${p99Ms} ms`)
  }
  return [
    {
      name: 'POST order through the gateway, acknowledged a second',
      figure: median(acknowledged),
      bar: { atLeast: 1_500 },
      rounds: { orders: acknowledged },
    },
    {
      name: 'of those rounds, all orders paid within 5 s of the end',
      figure: lags.filter((lag) => lag <= 5_000).length,
      bar: { atLeast: lags.length },
      rounds: { 'milliseconds until all were paid': lags },
    },
    {
      name: 'POST order at 256 connections, p99 of p50',
      figure: ratio({ p99: p99s, p50: p50s }, 'p99', 'p50'),
      bar: { atMost: 5 },
      rounds: { 'p50, milliseconds': p50s, 'p99, milliseconds': p99s },
    },
  ]
}

async function broker(): Promise<Bar> {
  await using platform = await startPlatform(join(folder, 'broker'), ['broker'])
  const rounds = await inTurn(wrk, {
    broker: {
      url: `${platform.url('broker')}/broker/publish/bench.message`,
      method: 'POST',
      connections: 64,
      seconds: SECONDS,
      headers: { 'content-type': 'application/json' },
      body: `'{"n":' .. n .. ',"text":"${'x'.repeat(180)}"}'`,
    },
  })
  return {
    name: 'broker, publishes of 200 bytes a second, fsync before the 202',
    figure: median(rounds.broker ?? []),
    bar: { atLeast: 15_000 },
    rounds,
  }
}

const suites: Readonly<Record<string, () => Promise<Bar | Bar[]>>> = {
  startup: () => startup(join(folder, 'startup')),
  user: userService,
  gateway,
  orders,
  'fast-upstream': () => fastUpstream(wrk, folder, peers),
  broker,
  intake: () => intake(wrk, folder),
  stores: () => stores(wrk, join(folder, 'stores')),
  services: () => services(wrk, join(folder, 'services')),
  ...(before !== undefined && {
    before: () => besideBefore(wrk, join(folder, 'before'), before),
    'start-beside': () => startBeside(join(folder, 'start-beside'), before),
  }),
}
const wanted = process.argv.slice(2)
try {
  const bars: Bar[] = []
  for (const [name, suite] of Object.entries(suites)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    console.error(`${name} …`)
    bars.push(...[await suite()].flat())
  }
  report(bars, join(import.meta.dirname, 'results'), wanted.length === 0)
  process.exitCode = bars.every(isMet) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
