import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

const CLIENTS = 8
const EACH = 200

let gateway: GatewayUnderTest
/** How often each request reached the upstream. */
let received: Map<string, number>

beforeEach(async () => {
  received = new Map()
  gateway = await startGateway({
    routes: { things: { prefix: '/things', upstream: 'thing-service', methods: { POST: 'public' } } },
  })
})
afterEach(() => gateway[Symbol.asyncDispose]())

/** The numbers of mulberry32 from a seed on, so that each run closes and asks at the same distances. */
function numbersFrom(seed: number): (from: number, to: number) => number {
  let state = seed
  return (from, to) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return from + (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (to - from)
  }
}

const note = (id = '') => received.set(id, (received.get(id) ?? 0) + 1)
const post = (id: string | number) => gateway.fetch(`/things/${id}`, { method: 'POST', body: '{}' })

describe('a POST', () => {
  it('is answered, and sent once, by an upstream that closes idle connections after 3 to 7 ms, whatever it announces', async () => {
    const random = numbersFrom(7)
    const closings = new WeakMap<object, NodeJS.Timeout>()
    await gateway.serve('thing-service', (request, answer) => {
      note(request.url)
      const { socket } = request
      clearTimeout(closings.get(socket))
      request.resume().on('end', () => answer.end('ok'))
      answer.on('finish', () =>
        closings.set(
          socket,
          setTimeout(() => socket.destroy(), random(3, 7)),
        ),
      )
    })
    const statuses: number[] = []
    const client = async (name: number) => {
      for (let at = 0; at < EACH; at++) {
        statuses.push((await post(`${name}-${at}`)).status)
        await delay(random(2, 8))
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)))
    expect(statuses.filter((status) => status !== 200)).toEqual([])
    expect([received.size, Math.max(...received.values())]).toEqual([CLIENTS * EACH, 1])
  })

  it('goes on a connection that is open already once an upstream has shown that it keeps them', async () => {
    let opened = 0
    const server = await gateway.serve('thing-service', (_, answer) => answer.end('ok'))
    server.on('connection', () => opened++)
    let reusedInARow = 0
    for (let at = 0; reusedInARow < 20; at++) {
      const before = opened
      expect((await post(at)).status).toBe(200)
      reusedInARow = opened === before ? reusedInARow + 1 : 0
    }
  })
})
