import { connect } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { errors } from '../middleware/errors.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { AppEnv } from './app-env.ts'
import { readBody } from './body.ts'
import { HeldBodies } from './held-bodies.ts'
import { type Listener, listen } from './listener.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'

describe('HeldBodies', () => {
  it('gives up the one that has stood still for longest, and counts what was held no more', () => {
    const bodies = new HeldBodies(100_000)
    const givenUp: string[] = []
    const open = (name: string) => bodies.open(() => givenUp.push(name))
    const [slow, slower, quick] = [open('slow'), open('slower'), open('quick')]
    slower.grow(40_000)
    slow.grow(40_000)
    quick.grow(30_000)
    expect(givenUp).toEqual(['slower'])
    quick.grow(70_000)
    expect(givenUp).toEqual(['slower', 'slow'])
    expect(bodies.bytes).toBe(70_000)
    for (const body of [slow, slower, quick, quick]) body.close()
    expect(bodies.bytes).toBe(0)
  })

  it('gives up none that is worked on, but the one that comes', () => {
    const bodies = new HeldBodies(100_000)
    const givenUp: string[] = []
    const whole = bodies.open(() => givenUp.push('whole'))
    whole.grow(90_000)
    whole.arrive()
    bodies.open(() => givenUp.push('new')).grow(20_000)
    expect(givenUp).toEqual(['new'])
    expect(bodies.bytes).toBe(90_000)
  })

  it('takes no notice of small ones', () => {
    const bodies = new HeldBodies(100_000)
    for (let at = 0; at < 1_000; at++) bodies.open(() => expect.unreachable('given up')).grow(4_000)
    expect(bodies.bytes).toBe(0)
  })
})

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

it('lets a client who sends at once through beside many who have stopped in the middle', async () => {
  const app = new Hono<AppEnv>()
  errors(app, silentLog)
  app.post('/', async (c) => c.text(String((await readBody(c)).length)))
  const limits = { ...DEFAULT_LIMITS, held_body_bytes: 1_048_576 }
  const listener = await listen({ host: '127.0.0.1', port: 0, limits, layers: [], app, clock })
  open.push(listener)
  const statuses: string[] = []
  const clients = Array.from({ length: 8 }, () => {
    const client = connect(listener.port, '127.0.0.1').on('error', () => {})
    client.on('data', (bytes) => statuses.push(bytes.toString('latin1').slice(9, 12)))
    client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(200_000)}`)
    return client
  })
  await expect.poll(() => statuses).toEqual(['503', '503', '503'])
  const answer = await fetch(`http://127.0.0.1:${listener.port}/`, { method: 'POST', body: 'x'.repeat(500_000) })
  expect(await answer.text()).toBe('500000')
  for (const client of clients) client.destroy()
})
