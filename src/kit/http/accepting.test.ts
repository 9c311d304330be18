import { once } from 'node:events'
import { connect, createServer, type ListenOptions, Server, type Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { type Accepting, accept, SOCKETS } from './accepting.ts'
import { portOf } from './port-of.ts'

const PLACE = { host: '127.0.0.1', port: 0, sockets: SOCKETS }
/** So many at once. */
const CLIENTS = 200

let accepting: Accepting | undefined
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  const stopping = accepting
  accepting = undefined
  if (stopping) await new Promise<void>((resolve) => stopping.stop(resolve))
})

it('takes many connections in few turns of a busy loop', async () => {
  let turn = 0
  const turns = new Set<number>()
  const server = createServer((socket) => {
    sockets.push(socket)
    turns.add(turn)
  })
  accepting = await accept(server, PLACE)
  for (let client = 0; client < CLIENTS; client++) sockets.push(connect(portOf(server), '127.0.0.1'))
  await new Promise<void>((resolve) => {
    const work = () => {
      turn++
      for (const until = performance.now() + 1; performance.now() < until; );
      if (sockets.length < 2 * CLIENTS) setImmediate(work)
      else resolve()
    }
    work()
  })
  // one socket would take one in a turn: 200
  expect(turns.size).toBeLessThan(CLIENTS / 3)
})

it('refuses a port that another has, whether it shares it or not', async () => {
  const server = createServer()
  accepting = await accept(server, PLACE)
  const place = { ...PLACE, port: portOf(server) }
  await expect(accept(createServer(), place)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const alone = createServer()
  alone.listen(place)
  const [fault] = await once(alone, 'error')
  expect(fault).toMatchObject({ code: 'EADDRINUSE' })
})

it('takes no more once it is stopped, and says when all that came have ended', async () => {
  const server = createServer((socket) => sockets.push(socket.resume()))
  const { stop } = await accept(server, PLACE)
  const port = portOf(server)
  const clients = Array.from({ length: 20 }, () => connect(port, '127.0.0.1').resume())
  await expect.poll(() => sockets.length).toBe(20)
  let closed = false
  stop(() => {
    closed = true
  })
  const late = () => new Promise((resolve) => connect(port, '127.0.0.1').on('error', ({ message }) => resolve(message)))
  // a process that another thread starts just now holds the port too until it is its own program
  await expect.poll(late).toContain('ECONNREFUSED')
  expect(sockets).toHaveLength(20)
  expect(closed).toBe(false)
  for (const client of clients) client.destroy()
  for (const socket of sockets) socket.end()
  await expect.poll(() => closed).toBe(true)
})

it('takes IPv4 and IPv6 on ::, and IPv4 alone where the kernel has no other', async () => {
  const server = createServer((socket) => socket.end('taken'))
  accepting = await accept(server, { ...PLACE, host: '::' })
  const [answer] = await once(connect(portOf(server), '127.0.0.1'), 'data')
  expect(String(answer)).toBe('taken')
  const listens = Server.prototype.listen
  using _ = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...given: unknown[]) {
    const [options] = given as [ListenOptions]
    if (options.host !== '::') return Reflect.apply(listens, this, given)
    process.nextTick(() => this.emit('error', Object.assign(new Error('listen'), { code: 'EAFNOSUPPORT' })))
    return this
  })
  const other = createServer()
  const second = await accept(other, { ...PLACE, host: '::' })
  expect(other.address()).toMatchObject({ address: '0.0.0.0' })
  await new Promise<void>((resolve) => second.stop(resolve))
})
