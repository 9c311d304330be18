import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { Exchange } from './exchange.ts'
import { type LoopbackPort, LoopbackPorts } from './loopback-ports.ts'
import { DEFAULT_LIMITS as limits } from './testing/listener-limits.ts'

const made: LoopbackPorts[] = []
afterEach(async () => {
  await Promise.all(made.splice(0).map((ports) => ports.close()))
})

function loopbackPorts(drainMs = 0) {
  const ports = new LoopbackPorts({ limits, layers: [], clock, drainMs })
  made.push(ports)
  const of = (name: string) => ports.open.find((one) => one.name === name)?.port ?? 0
  const ask = async (name: string) => (await fetch(`http://127.0.0.1:${of(name)}/`)).text()
  return { ports, of, ask }
}

const says = (name: string, text = name, port = 0): LoopbackPort => ({
  name,
  port,
  elsewhere: 'doors',
  handle: ({ outgoing }) => void outgoing.end(text),
})

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const open = await Promise.race([
    once(socket, 'connect').then(
      () => true,
      () => false,
    ),
    once(socket, 'error').then(() => false),
  ])
  socket.destroy()
  return open
}

describe('loopback ports', () => {
  it('answer each by their own', async () => {
    const { ports, ask } = loopbackPorts()
    await ports.set([says('a'), says('b')])
    expect([await ask('a'), await ask('b')]).toEqual(['a', 'b'])
  })

  it('open and close what differs alone', async () => {
    const { ports, of, ask } = loopbackPorts()
    await ports.set([says('a'), says('b')])
    const [a, b] = [of('a'), of('b')]
    await ports.set([says('b', 'other'), says('c')])
    expect([of('b'), await ask('b'), await ask('c')]).toEqual([b, 'other', 'c'])
    // a process that another thread starts just now holds the port too until it is its own program
    await expect.poll(() => isOpen(a)).toBe(false)
  })

  it('change places with each other', async () => {
    const { ports, of, ask } = loopbackPorts()
    await ports.set([says('a'), says('b')])
    const [a, b] = [of('a'), of('b')]
    await ports.set([says('a', 'now a', b), says('b', 'now b', a)])
    expect([of('a'), of('b')]).toEqual([b, a])
    expect([await ask('a'), await ask('b')]).toEqual(['now a', 'now b'])
  })

  it('name the one that is taken, and leave the others open', async () => {
    const { port } = await taken()
    const { ports, ask } = loopbackPorts()
    await expect(ports.set([says('a'), says('b', 'b', port)])).rejects.toMatchObject({
      code: 'START_FAILED',
      message: `b: port ${port} on 127.0.0.1 is taken by another program; stop it, or choose another: doors`,
    })
    expect(await ask('a')).toBe('a')
  })

  it('let requests under way end before they are closed', async () => {
    const { ports, ask } = loopbackPorts(5_000)
    const asked = Promise.withResolvers<Exchange>()
    await ports.set([{ ...says('a'), handle: asked.resolve }])
    const answer = ask('a')
    const exchange = await asked.promise
    let closed = false
    const closing = ports.close().then(() => {
      closed = true
    })
    expect([ports.open, closed]).toEqual([[], false])
    exchange.outgoing.end('late')
    expect(await answer).toBe('late')
    await closing
  })
})

async function taken(): Promise<{ port: number }> {
  const { ports, of } = loopbackPorts()
  await ports.set([says('x')])
  return { port: of('x') }
}
