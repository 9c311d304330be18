import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createKeptPorts, freePort, isTaken, steadyPorts } from './free-port.ts'

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
    message: expect.stringMatching(/^no free port on 192\.0\.2\.1: .*EADDRNOTAVAIL/),
  })
})

it('gives each name a port of its own for good, passing by those that are taken, in a room by the process', async () => {
  let next = 0
  const portOf = createKeptPorts(205, { random: () => (next++ % 6) / 120, range: { from: 20_000, to: 31_999 } })
  const server = createServer()
  // another program may have it: taken it is either way
  await new Promise<void>((resolve) => server.once('error', () => resolve()).listen(20_601, '127.0.0.1', resolve))
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

it.each([
  ['32768\t60999\n', { from: 20_000, to: 31_999 }],
  [undefined, { from: 20_000, to: 31_999 }],
  ['25000 60999', { from: 20_000, to: 24_999 }],
  ['10000 61000', { from: 61_001, to: 65_535 }],
  ['1024 65535', { from: 20_000, to: 31_999 }],
  ['no numbers', { from: 20_000, to: 31_999 }],
])('stays out of the way of outgoing connections, which get %j', (ephemeral, range) => {
  expect(steadyPorts(ephemeral)).toEqual(range)
})

it('goes into the next rooms when one is full, and gives what the system chooses when all are', async () => {
  const portOf = createKeptPorts(1, { range: { from: 27_000, to: 27_249 } })
  const ports = await Promise.all(Array.from({ length: 300 }, (_, at) => portOf(`service-${at}`, '127.0.0.1')))
  expect(new Set(ports).size).toBe(300)
  const inside = ports.filter((port) => port >= 27_000 && port <= 27_249)
  // some may be another program's
  expect(inside.length).toBeGreaterThan(240)
  expect(ports.slice(0, 100).every((port) => port >= 27_120 && port < 27_240)).toBe(true)
})

/** What a program prints that may have few files open. */
async function withFewFiles(program: string): Promise<string> {
  const whole = `import { createKeptPorts, freePort } from ${JSON.stringify(import.meta.resolve('./free-port.ts'))}\n${program}`
  const words = ['-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath, '--input-type=module', '-e', whole]
  const { stdout } = await promisify(execFile)('sh', words)
  return stdout.trim()
}

it('says that too many files are open where that is why', async () => {
  const program = `
    import { openSync } from 'node:fs'
    try { for (;;) openSync('/dev/null') } catch {}
    const told = (fault) => fault.message
    const portOf = createKeptPorts(process.pid)
    console.log(await freePort('127.0.0.1').catch(told) + '\\n' + await portOf('a', '127.0.0.1').catch(told))`
  const told = /^no free port on 127\.0\.0\.1: .*EMFILE.*; raise the limit of open files \(ulimit -n\)$/
  const [first, second] = (await withFewFiles(program)).split('\n')
  expect(first).toMatch(told)
  expect(second).toMatch(told)
})

it('looks for some at a time, and gives no two names the same', async () => {
  const program = `
    const portOf = createKeptPorts(process.pid)
    const ports = await Promise.all(Array.from({ length: 2_000 }, (_, at) => portOf('service-' + at, '127.0.0.1')))
    console.log(new Set(ports).size)`
  expect(await withFewFiles(program)).toBe('2000')
})
