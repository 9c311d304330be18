import { Agent, createServer, get, type RequestListener } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePort } from '../servers/server.ts'
import { type Booted, boot } from './boot.ts'
import { enlist, startInstance } from './somebody-elses.ts'

/** Nobody is given up who answers late on a busy machine. */
const CALM = { timeout_ms: 20_000, attempts: 2, breaker_failures: 3, breaker_open_ms: 60_000 }

/** A platform with one door to `things`. */
async function withDoor(door: Readonly<Record<string, unknown>> = {}) {
  const doors = [{ caller: 'catalog', upstream: 'things', port: 0, ...CALM, ...door }]
  const platform = await boot(['registry', 'outbound'], { sections: { outbound: { doors } } })
  const [url = ''] = platform.loopback('outbound')
  const call = (path = '/', init?: RequestInit) => fetch(url + path, { redirect: 'manual', ...init })
  return { platform, url, call }
}

/** Waits until the door finds as many instances as there are, each by what it answers. */
async function seen(call: () => Promise<Response>, ...names: readonly string[]): Promise<void> {
  const left = new Set(names)
  await expect
    .poll(
      async () => {
        const answer = await call()
        left.delete(await answer.text())
        return [...left]
      },
      { interval: 5 },
    )
    .toEqual([])
}

const says =
  (text: string): RequestListener =>
  (_, answer) =>
    void answer.end(text)

const circuits = ({ entries }: Booted) =>
  entries.filter(({ message }) => message.startsWith('Circuit')).map(({ message }) => message.split(':')[0])

it('spreads calls over the instances, and takes up who comes and goes', async () => {
  const { platform, call } = await withDoor()
  await using _platform = platform
  await using _one = await startInstance(platform, 'things', says('one'))
  const two = await startInstance(platform, 'things', says('two'))
  await seen(call, 'one', 'two')
  const counts: Record<string, number> = { one: 0, two: 0 }
  for (let n = 0; n < 100; n++) {
    const text = await (await call()).text()
    counts[text] = (counts[text] ?? 0) + 1
  }
  expect(counts.one).toBeGreaterThan(20)
  expect(counts.two).toBeGreaterThan(20)
  await two[Symbol.asyncDispose]()
  for (let n = 0; n < 20; n++) expect(await (await call()).text()).toBe('one')
})

it('goes on with the instances it knows while the registry is away', async () => {
  const { platform, call } = await withDoor()
  await using _platform = platform
  await using _one = await startInstance(platform, 'things', says('one'))
  await seen(call, 'one')
  await platform.stop('registry')
  for (let n = 0; n < 20; n++) expect(await (await call()).text()).toBe('one')
})

it('says 503 and when to come again where no instance is known for a second', async () => {
  const { platform, call } = await withDoor()
  await using _platform = platform
  const begun = performance.now()
  const answer = await call()
  expect(performance.now() - begun).toBeGreaterThan(950)
  expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('content-type')]).toEqual([
    503,
    '1',
    'application/problem+json',
  ])
  expect(await answer.json()).toMatchObject({ code: 'UNREACHABLE', detail: 'No things is running at the moment' })
})

it('waits a moment for the first instance of a service that is restarted', async () => {
  const names = ['one', 'two', 'three', 'four', 'five']
  const doors = names.map((upstream) => ({ caller: 'catalog', upstream, port: 0, ...CALM }))
  await using platform = await boot(['registry', 'outbound'], { sections: { outbound: { doors } } })
  const heard: string[] = []
  // a machine that stands still for the whole moment doesn't do so each time
  for (const [index, name] of names.entries()) {
    const answer = fetch(platform.loopback('outbound')[index] ?? '')
    await using _first = await startInstance(platform, name, says(name))
    heard.push(await (await answer).text())
    if (heard.at(-1) === name) break
  }
  expect(names).toContain(heard.at(-1))
})

it('sends to another instance what one could not take, whatever it is', async () => {
  const { platform, call } = await withDoor()
  await using _platform = platform
  await using _good = await startInstance(platform, 'things', says('good'))
  await seen(call, 'good')
  await enlist(platform, 'things', await freePort())
  const post = () => call('/', { method: 'POST', body: '{}' })
  await expect
    .poll(async () => [(await call()).status, (await post()).status, circuits(platform)])
    .toEqual([200, 200, ['Circuit opened']])
  expect(platform.entries.filter(({ message }) => message.startsWith('things failed'))).toEqual([])
  const metrics = await (await platform.fetch('outbound', '/metrics')).text()
  expect(metrics).toContain('outbound_retries_total{caller="catalog",upstream="things",service="outbound"} 3')
})

it('sends a GET that an instance broke off to another one, and no POST', async () => {
  const { platform, call } = await withDoor({ breaker_failures: 1_000 })
  await using _platform = platform
  await using _good = await startInstance(platform, 'things', says('good'))
  let broken = 0
  await using _breaking = await startInstance(platform, 'things', (request) => {
    broken++
    request.socket.destroy()
  })
  await expect.poll(async () => [(await call()).status, broken > 0], { interval: 5 }).toEqual([200, true])
  broken = 0
  let failed = 0
  for (let n = 0; n < 40; n++) if ((await call('/', { method: 'POST', body: '{}' })).status === 502) failed++
  expect(failed).toBeGreaterThan(0)
  expect(broken).toBe(failed)
})

it('opens the circuit of an instance that fails, and closes it when it says that it is ready', async () => {
  const { platform, call } = await withDoor()
  await using _platform = platform
  let well = false
  await using _things = await startInstance(
    platform,
    'things',
    (_, answer) => void answer.writeHead(well ? 200 : 500).end(),
  )
  await expect.poll(async () => (await call()).status, { interval: 5 }).toBe(500)
  await expect.poll(async () => (await call()).status, { interval: 5 }).toBe(503)
  const held = await call()
  expect([held.status, held.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await held.json()).toMatchObject({
    code: 'CIRCUIT_OPEN',
    detail: expect.stringMatching(/^things has failed too often/),
  })
  expect(circuits(platform)).toEqual(['Circuit opened'])
  well = true
  await expect.poll(async () => (await call()).status, { interval: 20 }).toBe(200)
  expect(circuits(platform)).toEqual(['Circuit opened', 'Circuit closed'])
})

it('says 504 when the only instance is silent for too long, and asks it once', async () => {
  const { platform, call } = await withDoor({ breaker_failures: 1_000, timeout_ms: 200 })
  await using _platform = platform
  let asked = 0
  await using _things = await startInstance(platform, 'things', () => void asked++)
  await expect.poll(async () => (await call()).status).toBe(504)
  const took: number[] = []
  // the shortest: a machine may stand still for a while, but not each time
  for (let n = 0; n < 3; n++) {
    asked = 0
    const since = performance.now()
    const answer = await call()
    expect(await answer.json()).toMatchObject({
      status: 504,
      code: 'UPSTREAM_TIMEOUT',
      detail: 'things did not answer in time',
    })
    took.push(performance.now() - since)
    expect(asked).toBe(1)
  }
  expect(Math.min(...took)).toBeGreaterThanOrEqual(190)
  expect(Math.min(...took)).toBeLessThan(2_000)
})

it('says 502 where a service breaks off or speaks no HTTP', async () => {
  const { platform, call } = await withDoor({ breaker_failures: 1_000 })
  await using _platform = platform
  const server = createTcpServer((socket) => socket.once('data', () => socket.end('SSH-2.0\r\n')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await enlist(platform, 'things', typeof address === 'object' && address ? address.port : 0)
  await expect.poll(async () => (await call()).status).toBe(502)
  expect(await (await call()).json()).toMatchObject({
    code: 'UPSTREAM_FAILED',
    detail: 'things sent a malformed answer: not HTTP/1.1',
  })
  server.close()
})

it('lets calls under way end when it stops, but no event stream', async () => {
  const { platform, call } = await withDoor({ timeout_ms: 10_000 })
  await using _platform = platform
  const asked = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  await using _things = await startInstance(platform, 'things', async ({ url }, answer) => {
    if (url === '/events') answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    else if (url === '/slow') {
      asked.resolve()
      await finish.promise
      answer.end('late')
    } else answer.end('here')
  })
  await seen(call, 'here')
  const events = (await call('/events')).text().catch(() => 'ended')
  const slow = call('/slow')
  await asked.promise
  const stopping = platform.stop('outbound')
  expect(await events).toBe('ended')
  finish.resolve()
  expect(await (await slow).text()).toBe('late')
  await stopping
  await expect(call()).rejects.toThrow()
})

it('does not start on a port that is taken, and names the door', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  try {
    await expect(withDoor({ port })).rejects.toMatchObject({
      code: 'START_FAILED',
      message: `the door catalog->things: port ${port} on 127.0.0.1 is taken by another program; stop it, or choose another: outbound.doors`,
    })
  } finally {
    server.close()
  }
})

it('opens and closes doors while the others keep their calls, connections and circuits', async () => {
  const { platform, url, call } = await withDoor({ timeout_ms: 10_000 })
  await using _platform = platform
  const door = { caller: 'catalog', upstream: 'things', port: 0, ...CALM, timeout_ms: 10_000 }
  const finish = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  await using _things = await startInstance(platform, 'things', async (request, answer) => {
    if (request.url === '/slow') {
      asked.resolve()
      await finish.promise
    }
    answer.end('here')
  })
  await using _broken = await startInstance(platform, 'broken', (_, answer) => void answer.writeHead(500).end())
  await seen(call, 'here')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const socketOf = () =>
    new Promise<unknown>((resolve, reject) => {
      const asking = get(url, { agent }, (answer) => answer.resume().once('end', () => resolve(asking.socket)))
      asking.once('error', reject)
    })
  const socket = await socketOf()
  const slow = call('/slow')
  await asked.promise

  const toBroken = { caller: 'catalog', upstream: 'broken', port: 0, ...CALM }
  await platform.reload('outbound', { doors: [door, toBroken] })
  const [, second = ''] = platform.loopback('outbound')
  const codeOf = async () => {
    const text = await (await fetch(second)).text()
    return text === '' ? '' : JSON.parse(text).code
  }
  await expect.poll(codeOf, { interval: 5 }).toBe('CIRCUIT_OPEN')
  await platform.reload('outbound', { doors: [toBroken, { ...door, attempts: 1 }] })
  expect(platform.loopback('outbound')).toEqual([url, second])
  expect(await (await fetch(second)).json()).toMatchObject({ code: 'CIRCUIT_OPEN' })
  expect(await socketOf()).toBe(socket)
  finish.resolve()
  expect(await (await slow).text()).toBe('here')

  await platform.reload('outbound', { doors: [door] })
  await expect(fetch(second)).rejects.toThrow()
  expect(await (await call()).text()).toBe('here')
  agent.destroy()
})
