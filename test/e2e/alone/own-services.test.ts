import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, onTestFinished, vi } from 'vitest'
import * as z from 'zod'
import { leastTime } from '../../least-time.ts'
import { freePort } from '../../servers/server.ts'
import { commandsIn } from '../running-platform.ts'
import { answering, bothAnswer, failed, load } from '../steady-load.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-services-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
copyFileSync(join(import.meta.dirname, '../own-services/echo.mjs'), join(folder, 'echo.mjs'))

const { msvc, up } = commandsIn(
  folder,
  `services:
  echo:
    run: [${process.execPath}, echo.mjs]
    ready: http /health
    replicas: 2
    watch: [echo.mjs]
    route: { path: /echo, methods: { GET: public }, strip: true }
  mortal:
    run: [${process.execPath}, echo.mjs]
    ready: http /health
    replicas: 2
    restart: never
    route: { path: /mortal, methods: { GET: public }, strip: true }
  worker:
    run: sleep 300 & echo "child $!"; setsid sleep 300 & echo "child $!"; wait
    ready: none
`,
)
const ONLY = ['--only', 'registry,gateway,log-server,echo,worker']
const TIMEOUT_MS = 180_000

/** What `msvc ps --json` says. */
const Listed = z.object({
  units: z.array(
    z.object({
      unit: z.string(),
      state: z.string(),
      pid: z.int().nullable(),
      port: z.int().nullable(),
      restarts: z.int().nullable(),
      url: z.string().nullable(),
    }),
  ),
})

async function units(data: string) {
  return Listed.parse(JSON.parse(await msvc(data, 'ps', '--json'))).units
}

const unitOf = async (data: string, name: string) => (await units(data)).find(({ unit }) => unit === name)

it('loses at most one request of 300 a second when a replica is killed', { timeout: TIMEOUT_MS }, async () => {
  await using platform = await up('killed', ...ONLY)
  await bothAnswer(`${platform.url('gateway')}/echo/`)
  const { answers, stop } = load(`${platform.url('gateway')}/echo/`, 300)
  await vi.waitUntil(() => answers.length > 300, { timeout: 30_000 })
  const victim = await unitOf('killed', 'echo-2')
  process.kill(-Number(victim?.pid), 'SIGKILL')
  await vi.waitUntil(
    async () => {
      const unit = await unitOf('killed', 'echo-2')
      return unit?.restarts === 1 && unit.state === 'ready'
    },
    { timeout: 20_000 },
  )
  const again = Date.now()
  await vi.waitUntil(() => answering(answers, again).size === 2, { timeout: 30_000 })
  await stop()
  expect(failed(answers).length).toBeLessThanOrEqual(1)
})

/** Tries of what has its time: a machine may stand still for a while, but not each time. */
const TRIES = 4

it('sends a replica that was killed nothing later than 100 ms after its death', { timeout: 240_000 }, async () => {
  let late: readonly number[] = []
  for (let n = 0; n < TRIES; n++) {
    late = await askedOfTheDead(`dead-${n}`)
    if (late.length === 0) break
  }
  expect(late).toEqual([])
})

/** Kills a replica under load, and tells when it was sent something later than 100 ms after its death. */
async function askedOfTheDead(data: string): Promise<readonly number[]> {
  await using platform = await up(data, '--only', 'registry,gateway,log-server,mortal')
  await bothAnswer(`${platform.url('gateway')}/mortal/`)
  const { answers, stop } = load(`${platform.url('gateway')}/mortal/`, 300)
  await vi.waitUntil(() => answers.length > 300, { timeout: 30_000 })
  const victim = await unitOf(data, 'mortal-2')
  process.kill(-Number(victim?.pid), 'SIGKILL')
  const killedAt = Date.now()
  await using heir = await takeOver(Number(victim?.port))
  // long enough that a gateway which wasn't told would have probed it, found it well and sent it all sorts of requests
  await vi.waitUntil(() => answers.filter(({ at }) => at > killedAt + 100).length > 600, { timeout: 30_000 })
  await stop()
  expect(failed(answers).length).toBeLessThanOrEqual(1)
  expect(await unitOf(data, 'mortal-2')).toMatchObject({ state: 'failed', restarts: 0 })
  return heir.asked.filter((at) => at > killedAt + 100)
}

/** Listens where one did that was killed, as soon as the port is free, and answers everything: who is still sent there isn't told by a failure. */
async function takeOver(port: number) {
  const asked: number[] = []
  const server = createServer((_, outgoing) => {
    asked.push(Date.now())
    outgoing.end()
  })
  const listens = async () => {
    server.listen(port, '127.0.0.1')
    return once(server, 'listening').then(
      () => true,
      () => false,
    )
  }
  await vi.waitUntil(listens, { timeout: 20_000, interval: 1 })
  return {
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

it('fails no request when it is restarted one replica after the other', { timeout: TIMEOUT_MS }, async () => {
  await using platform = await up('rolled', ...ONLY)
  await bothAnswer(`${platform.url('gateway')}/echo/`)
  const { answers, stop } = load(`${platform.url('gateway')}/echo/`, 300)
  await vi.waitUntil(() => answers.length > 100, { timeout: 30_000 })
  const before = answering(answers, 0)
  await msvc('rolled', 'restart', '--rolling', 'echo')
  const since = Date.now()
  await vi.waitUntil(() => answers.filter(({ at }) => at >= since).length > 150, { timeout: 30_000 })
  await stop()
  expect(failed(answers)).toEqual([])
  expect([...answering(answers, since)].filter((instance) => before.has(instance))).toEqual([])
})

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => socket.destroy() && resolve(true)).once('error', () => resolve(false))
  })
}

it('leaves nothing behind a second after it was killed, what its services have started included', {
  timeout: 240_000,
}, async () => {
  expect(await leastTime(1_000, (n) => goneAfter(`gone-${n}`), TRIES)).toBeLessThan(1_000)
  await using again = await up('gone-0', ...ONLY)
  await bothAnswer(`${again.url('gateway')}/echo/`)
})

/** Milliseconds from the death of a platform until nothing is left of it. */
async function goneAfter(data: string): Promise<number> {
  await using platform = await up(data, ...ONLY)
  const rows = await units(data)
  const told = async () => [...(await msvc(data, 'logs', 'worker')).matchAll(/child (\d+)/g)]
  // what they say takes a moment to be found
  await vi.waitUntil(async () => (await told()).length === 2, { timeout: 20_000, interval: 200 })
  const children = (await told()).map(([, pid]) => Number(pid))
  const pids = [...rows.flatMap(({ pid }) => pid ?? []), ...children]
  const ports = rows.flatMap(({ port }) => port ?? [])
  expect(pids.filter((pid) => !isAlive(pid))).toEqual([])
  const killedAt = Date.now()
  platform.child.kill('SIGKILL')
  await vi.waitUntil(async () => !pids.some(isAlive) && !(await Promise.all(ports.map(isOpen))).some(Boolean), {
    timeout: 20_000,
    interval: 10,
  })
  return Date.now() - killedAt
}

it('restarts a service alone when a line of its file is edited, as soon as it can', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using platform = await up('edited', ...ONLY, '--scale', 'echo=1')
  const before = await units('edited')
  const file = join(folder, 'echo.mjs')
  const source = readFileSync(file, 'utf8')
  onTestFinished(() => writeFileSync(file, source))

  /** Milliseconds from an edit until the gateway passes on an answer of the new one. */
  async function restarted(round: number): Promise<number> {
    const line = `outgoing.setHeader('x-edited', '${round}')`
    const editedAt = Date.now()
    writeFileSync(
      file,
      source.replace("if (pathname === '/block')", (found) => `${line}\n  ${found}`),
    )
    const isNew = async () => (await fetch(`${platform.url('gateway')}/echo/`)).headers.get('x-edited') === `${round}`
    await vi.waitUntil(isNew, { timeout: 20_000, interval: 10 })
    return Date.now() - editedAt
  }

  const took: number[] = []
  const alone: number[] = []
  // the shortest of each, of at least three
  const more = () => Math.min(...took) - Math.min(...alone)
  for (let round = 1; round <= 3 || (round <= 12 && more() > 500); round++) {
    took.push(await restarted(round))
    alone.push(await startsAlone(file))
    await vi.waitUntil(async () => (await unitOf('edited', 'echo'))?.state === 'ready', { timeout: 20_000 })
  }
  expect(more()).toBeLessThanOrEqual(500)
  const after = await units('edited')
  const pidOf = (rows: typeof after, name: string) => rows.find(({ unit }) => unit === name)?.pid
  expect(pidOf(after, 'echo')).not.toBe(pidOf(before, 'echo'))
  for (const { unit } of before) if (unit !== 'echo') expect(pidOf(after, unit)).toBe(pidOf(before, unit))
})

/** Milliseconds until the service listens when it is started by hand: what it needs by itself. */
async function startsAlone(file: string): Promise<number> {
  const port = await freePort()
  const since = Date.now()
  const child = spawn(process.execPath, [file], { env: { ...process.env, PORT: String(port), HOST: '127.0.0.1' } })
  const exit = once(child, 'exit')
  await vi.waitUntil(() => isOpen(port), { timeout: 20_000, interval: 5 })
  const took = Date.now() - since
  child.kill('SIGKILL')
  await exit
  return took
}
