import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { createKeptPorts, freePort, isTaken } from './free-port.ts'

it('finds a free port, and sees a taken one', async () => {
  const port = await freePort('127.0.0.1')
  expect(await isTaken('127.0.0.1', port)).toBe(false)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  try {
    expect(await isTaken('127.0.0.1', port)).toBe(true)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

it('says so when an address is not of this machine', async () => {
  await expect(freePort('192.0.2.1')).rejects.toMatchObject({
    code: 'START_FAILED',
    message: 'no free port on 192.0.2.1',
  })
})

it('gives each name a port of its own for good, passing by those that are taken, in a room by the process', async () => {
  // as often as it takes to choose each port of the room
  let next = 0
  const portOf = createKeptPorts(205, () => (next++ % 6) / 120)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(20_601, '127.0.0.1', resolve))
  try {
    const names = ['user', 'order', 'user', 'payment']
    const ports = await Promise.all(names.map((name) => portOf(name, '127.0.0.1')))
    expect(ports[0]).toBe(ports[2])
    expect(new Set(ports).size).toBe(3)
    expect(ports.every((port) => port >= 20_600 && port < 20_720 && port !== 20_601)).toBe(true)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})
