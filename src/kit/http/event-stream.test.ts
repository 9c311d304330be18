import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { errors } from '../middleware/errors.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { AppEnv } from './app-env.ts'
import { followEvents } from './event-source.ts'
import { type EventStream, type EventStreamOptions, eventStream, frameOf } from './event-stream.ts'
import { listen } from './listener.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'
import { testWaits } from './testing/waits.ts'
import type { WaitLimits } from './waits.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

/** Serves one event stream on a port of its own. */
async function serveEvents(
  { limits, ...options }: Partial<EventStreamOptions> & { readonly limits?: Partial<WaitLimits> },
  produce: (events: EventStream, lastId: string | undefined) => Promise<void>,
) {
  const stopping = new AbortController()
  const waits = testWaits(stopping.signal, limits)
  const app = new Hono<AppEnv>()
  app.get('/events', (c) =>
    eventStream(c, { waits, log: silentLog, ...options }, (events) => produce(events, c.req.header('last-event-id'))),
  )
  errors(app, silentLog)
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    limits: DEFAULT_LIMITS,
    layers: [],
    app,
    clock: systemClock,
  })
  closing.push(() => listener.drain(0))
  closing.push(() => stopping.abort())
  const { port } = listener
  return { port, url: `http://127.0.0.1:${port}/events`, waits, stop: () => stopping.abort(), drain: listener.drain }
}

/** A reader that asks for the stream and then takes nothing. */
async function stalledReader(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  closing.push(() => socket.destroy())
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
  return socket
}

/** Whether a promise is still pending after so many turns of the event loop that nothing on this machine can be on its way. */
async function isStuck(promise: Promise<unknown>, turns = 200): Promise<boolean> {
  let settled = false
  void promise.then(() => {
    settled = true
  })
  for (let turn = 0; turn < turns && !settled; turn++) await new Promise(setImmediate)
  return !settled
}

describe('eventStream', () => {
  it('sends headers at once, then events whole, then ends when the source is done', async () => {
    const gate = Promise.withResolvers<void>()
    const { url } = await serveEvents({}, async (events) => {
      await gate.promise
      events.send({ event: 'up', id: '1', data: 'a\nb' })
      events.send({ event: 'x\nid: 9', data: '2' })
    })
    const answer = await fetch(url)
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    gate.resolve()
    expect(await answer.text()).toBe(':\n\nevent: up\nid: 1\ndata: a\ndata: b\n\nevent: xid: 9\ndata: 2\n\n')
  })

  it('answers HEAD without starting a source that nobody will ever read', async () => {
    let started = 0
    const { url } = await serveEvents({}, async () => void started++)
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    await (await fetch(url)).text()
    expect(started).toBe(1)
  })

  it('keeps a silent connection alive with comments', async () => {
    const { url, stop } = await serveEvents({ heartbeatMs: 5 }, (events) => events.over)
    const answer = await fetch(url)
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += new TextDecoder().decode(chunk)
      if (text.length >= 12) stop()
    }
    expect(text).toMatch(/^(:\n\n){4,}$/)
  })

  it('ends, with what was sent, when the role stops', async () => {
    const { url, stop } = await serveEvents({}, async (events) => {
      events.send({ data: 'last' })
      stop()
      await events.over
      expect(events.send({ data: 'late' })).toBe(false)
    })
    expect(await (await fetch(url)).text()).toBe(':\n\ndata: last\n\n')
  })

  it('is over as soon as the reader goes away', async () => {
    const over = Promise.withResolvers<void>()
    const { url } = await serveEvents({}, async (events) => {
      await events.over
      over.resolve()
    })
    const reading = new AbortController()
    await fetch(url, { signal: reading.signal })
    reading.abort()
    await over.promise
  })

  it('cuts off a reader that does not keep up', async () => {
    const cut = Promise.withResolvers<void>()
    const { port } = await serveEvents({ limits: { queued_bytes_per_reader: 10_000 } }, async (events) => {
      while (events.send({ data: 'x'.repeat(1000) })) await new Promise(setImmediate)
      await events.over
      cut.resolve()
    })
    const socket = await stalledReader(port)
    const closed = once(socket, 'close')
    await cut.promise
    socket.resume()
    await closed
  })

  it('lets a source wait for room, and holds up no stop for a stalled reader', async () => {
    const full = Promise.withResolvers<void>()
    const done = Promise.withResolvers<boolean>()
    const { port, stop, drain } = await serveEvents({ limits: { queued_bytes_per_reader: 10_000 } }, async (events) => {
      let room = true
      while (room) {
        events.send({ data: 'x'.repeat(1000) })
        const waiting = events.room()
        void isStuck(waiting).then((stuck) => stuck && full.resolve())
        room = await waiting
      }
      done.resolve(events.signal.aborted)
    })
    await stalledReader(port)
    await full.promise
    stop()
    expect(await done.promise).toBe(true)
    await drain(60_000)
  })

  it('hands a stalled reader no more than its connection takes, and keeps one copy of what many are sent', async () => {
    const frame = frameOf({ data: 'x'.repeat(8_000_000) })
    const { port, waits } = await serveEvents({}, async (events) => {
      events.send(frame)
      await events.over
    })
    for (let reader = 0; reader < 8; reader++) await stalledReader(port)
    await expect.poll(() => waits.queues.bytes).toBe(frame.size)
    await expect.poll(() => frame.holders).toBe(8)
  })

  it('ends the reader that is furthest behind when more waits for all than may, and no other', async () => {
    const opened: EventStream[] = []
    const { port, waits } = await serveEvents({ limits: { queued_bytes: 12_000_000 } }, async (events) => {
      opened.push(events)
      events.send({ data: 'x'.repeat(8_000_000) })
      await events.over
    })
    for (let reader = 1; reader <= 3; reader++) {
      await stalledReader(port)
      await expect.poll(() => opened.length).toBe(reader)
    }
    expect(opened.map(({ signal }) => signal.aborted)).toEqual([true, true, false])
    await expect.poll(() => waits.count).toBe(1)
  })

  it('refuses a stream of a caller who has as many as may be, and takes it when one has gone', async () => {
    const { url } = await serveEvents({ limits: { waits_per_caller: 1 } }, (events) => events.over)
    const reading = new AbortController()
    await fetch(url, { signal: reading.signal })
    const refused = await fetch(url)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    reading.abort()
    await expect.poll(async () => (await fetch(url, { method: 'GET' })).status).toBe(200)
  })

  it('tells the log when the source fails, and cuts the stream', async () => {
    const faults: string[] = []
    const { url } = await serveEvents({ log: { error: (message) => faults.push(message) } }, async () => {
      throw new Error('disk')
    })
    await expect(fetch(url).then((answer) => answer.text())).rejects.toThrow()
    expect(faults).toHaveLength(1)
  })
})

describe('followEvents', () => {
  it('reconnects with the last id and goes on', async () => {
    const { url } = await serveEvents({}, async (events, lastId) => {
      const next = Number(lastId ?? 0) + 1
      events.send({ id: String(next), data: `from ${lastId}` })
      if (next > 2) await events.over
    })
    const stop = new AbortController()
    const seen: string[] = []
    let opened = 0
    await followEvents({
      connect: (headers, signal) => fetch(url, { headers, signal }),
      onOpen: () => opened++,
      onEvent: ({ data }) => {
        seen.push(data)
        if (seen.length === 3) stop.abort()
      },
      signal: stop.signal,
      minPauseMs: 1,
    })
    expect(seen).toEqual(['from undefined', 'from 1', 'from 2'])
    expect(opened).toBe(3)
  })

  it('gives up a connection that falls silent', async () => {
    const { url } = await serveEvents({}, (events) => events.over)
    const stop = new AbortController()
    const lost: unknown[] = []
    await followEvents({
      connect: (headers, signal) => fetch(url, { headers, signal }),
      onEvent: () => {},
      onLost: (cause) => {
        lost.push(cause)
        if (lost.length === 2) stop.abort()
      },
      signal: stop.signal,
      idleMs: 10,
      minPauseMs: 1,
    })
    expect(lost).toEqual([
      expect.objectContaining({ code: 'UPSTREAM_TIMEOUT' }),
      expect.objectContaining({ code: 'UPSTREAM_TIMEOUT' }),
    ])
  })

  it('backs off from a server that refuses', async () => {
    const stop = new AbortController()
    const pauses: number[] = []
    let last = performance.now()
    await followEvents({
      connect: () => {
        pauses.push(performance.now() - last)
        last = performance.now()
        if (pauses.length === 5) stop.abort()
        return Promise.resolve(new Response('no', { status: 404 }))
      },
      onEvent: () => {},
      onLost: (cause) => expect(cause).toMatchObject({ status: 404 }),
      signal: stop.signal,
      minPauseMs: 4,
      random: () => 1,
    })
    expect(pauses[4]).toBeGreaterThanOrEqual(60)
  })

  it('ends while it waits for the next try, and before the first', async () => {
    const stop = new AbortController()
    const following = followEvents({
      connect: () => Promise.reject(new Error('refused')),
      onEvent: () => {},
      onLost: () => setImmediate(() => stop.abort()),
      signal: stop.signal,
      minPauseMs: 60_000,
      maxPauseMs: 60_000,
    })
    await following
    await followEvents({
      connect: () => Promise.reject(new Error('never asked')),
      onEvent: () => {},
      signal: stop.signal,
    })
  })
})
