import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, expect, inject, it, vi } from 'vitest'
import { portOf } from '../../src/kit/http/port-of.ts'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-handed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Plays the service manager: holds a socket as descriptor 3, and starts the program again when it ends. Says its process's id each time. */
const MANAGER = `
trap 'kill $child; wait $child; exit' TERM
while :; do
  sh -c 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=gateway; exec "$@"' - "$@" & child=$!
  echo "pid $child"
  wait $child || { [ $? -lt 128 ] && exit 1; }
done`

/**
 * A port on loopback that a service manager listens on, and the gateway behind it.
 * @param args what runs it. Default: it runs alone
 */
async function manage(host: string, more: string, args: readonly string[] = ['serve', 'gateway']) {
  writeFileSync(join(folder, 'gateway.yaml'), `gateway: { port: 1 }\nlog: { level: WARNING }\n${more}`)
  const socket = createNetServer()
  socket.listen({ port: 0, host, backlog: 1_024 })
  await once(socket, 'listening')
  const port = portOf(socket)
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd: number } }
  const program = [process.execPath, inject('program'), ...args, '--json', '--config', 'gateway.yaml']
  const child = spawn('sh', ['-c', MANAGER, 'manager', ...program], {
    cwd: folder,
    env: { PATH: process.env.PATH, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe', handle.fd],
  })
  // from here on the manager alone has it
  socket.close()
  const said = { err: '', pid: 0, begun: 0, ready: 0 }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.err += text
  })
  if (!child.stdout) throw new Error('a pipe is asked for')
  createInterface(child.stdout).on('line', (line) => {
    if (line.startsWith('pid ')) {
      said.pid = Number(line.slice(4))
      said.begun++
    } else said.ready++
  })
  return { child, port, said, ended: once(child, 'close') }
}

it('restarts the gateway on a socket of the service manager with no connection refused and no request failed', async () => {
  const upstream = createServer((_, answer) => answer.end('[]')).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { child, port, said, ended } = await manage(
    '127.0.0.1',
    `services: { user-service: 'http://127.0.0.1:${portOf(upstream)}' }\n`,
  )
  const kept = new Agent({ keepAlive: true, maxSockets: 8 })
  const faults: string[] = []
  let answers = 0
  let longest = 0
  const ask = (agent: Agent | undefined) =>
    new Promise<void>((resolve) => {
      const began = performance.now()
      const failed = (why: string) => {
        faults.push(why)
        resolve()
      }
      const url = { host: '127.0.0.1', port, path: '/gateway/api/users', agent: agent ?? false, timeout: 15_000 }
      get(url, (answer) => {
        answer.resume().on('end', () => {
          if (answer.statusCode !== 200) return failed(`answered ${answer.statusCode}`)
          answers++
          longest = Math.max(longest, performance.now() - began)
          resolve()
        })
      }).on('error', (fault) => failed(fault.message))
    })
  try {
    await vi.waitUntil(() => said.ready === 1 && said.begun === 1, { timeout: 20_000 })
    const under = new Set<Promise<void>>()
    // 300 a second: one of three on a connection of its own
    const load = setInterval(() => {
      for (const agent of [kept, kept, undefined]) {
        const request = ask(agent).finally(() => under.delete(request))
        under.add(request)
      }
    }, 10)
    try {
      for (const times of [2, 3]) {
        const before = answers
        await vi.waitUntil(() => answers > before + 100, { timeout: 20_000 })
        process.kill(said.pid, 'SIGTERM')
        // the manager says its id when it comes to it
        await vi.waitUntil(() => said.ready === times && said.begun === times, { timeout: 20_000 })
      }
      const before = answers
      await vi.waitUntil(() => answers > before + 100, { timeout: 20_000 })
    } finally {
      clearInterval(load)
    }
    await Promise.all(under)
    expect(faults).toEqual([])
    // stopped and started in between, on a machine that has other things to do
    expect(longest).toBeLessThan(15_000)
  } finally {
    child.kill('SIGTERM')
    await ended
    kept.destroy()
    upstream.close()
  }
})

it('refuses a socket that other machines reach where nothing protects it', async () => {
  const { said, ended } = await manage('0.0.0.0', '')
  expect(await ended).toEqual([1, null])
  expect(said.err).toContain('hands over listens on 0.0.0.0, which other machines reach')
})

it.each([
  ['none of one', 1, 'nothing', 3],
  ['none of many', 30, 'nothing', 3],
  ['one of many', 30, 'socket', 4],
  ['a file in its place', 1, 'file', 3],
] as const)('says in a line that it was told of more sockets than it was given: %s', async (_, count, third, wrong) => {
  writeFileSync(join(folder, 'lying.yaml'), 'gateway: { port: 1 }\nlog: { level: WARNING }\n')
  const socket = createNetServer().listen(0, '127.0.0.1')
  await once(socket, 'listening')
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd: number } }
  const file = openSync(join(folder, 'lying.yaml'), 'r')
  try {
    const script = `export LISTEN_PID=$$ LISTEN_FDS=${count}; exec "$@"`
    const program = [process.execPath, inject('program'), 'serve', 'gateway', '--config', 'lying.yaml']
    const child = spawn('sh', ['-c', script, '-', ...program], {
      cwd: folder,
      env: { PATH: process.env.PATH, NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe', ...(third === 'nothing' ? [] : [third === 'file' ? file : handle.fd])],
    })
    const said = child.stderr ? text(child.stderr) : ''
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(await said).toMatch(
      new RegExp(`^[^\\n]*: descriptor ${wrong} is no socket, though LISTEN_FDS=${count} says so\\n$`),
    )
  } finally {
    socket.close()
    closeSync(file)
  }
})

it('refuses all sockets where one of them is reached by other machines and nothing protects it', async () => {
  writeFileSync(join(folder, 'two.yaml'), 'gateway: { port: 1 }\nlog: { level: WARNING }\n')
  const sockets = ['127.0.0.1', '0.0.0.0'].map((host) => createNetServer().listen(0, host))
  await Promise.all(sockets.map((socket) => once(socket, 'listening')))
  const handles = sockets.map(
    (socket) => (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd,
  )
  try {
    const program = [process.execPath, inject('program'), 'serve', 'gateway', '--config', 'two.yaml']
    const child = spawn('sh', ['-c', 'export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@"', '-', ...program], {
      cwd: folder,
      env: { PATH: process.env.PATH, NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe', ...handles],
    })
    const said = child.stderr ? text(child.stderr) : ''
    const [code] = await once(child, 'exit')
    expect({ code, said: await said }).toEqual({
      code: 2,
      said: expect.stringContaining('hands over listens on 0.0.0.0, which other machines reach'),
    })
  } finally {
    for (const socket of sockets) socket.close()
  }
})
it('gives the socket to the gateway of a whole platform too, whose upgrade is the service manager’s business', async () => {
  const roles = UP_ROLE_NAMES.filter((role) => role !== 'gateway').map((role) => `${role}: { port: 0 }\n`)
  const { child, port, said, ended } = await manage('127.0.0.1', roles.join(''), ['up', '--data', 'whole'])
  const ask = async () => (await fetch(`http://127.0.0.1:${port}/gateway/api/users`)).status
  try {
    await vi.waitUntil(() => said.ready === 1 && said.begun === 1, { timeout: 20_000 })
    expect(await ask()).toBe(200)
    const upgrade = [inject('program'), 'upgrade', '--config', 'gateway.yaml', '--data', 'whole']
    const refused = await promisify(execFile)(process.execPath, upgrade, { cwd: folder }).catch((fault) => fault.stderr)
    expect(refused).toMatch(/holds this platform's socket.*systemctl restart/)
    expect(await ask()).toBe(200)
    process.kill(said.pid, 'SIGTERM')
    const waiting = ask()
    await vi.waitUntil(() => said.ready === 2, { timeout: 20_000 })
    expect(await waiting).toBe(200)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
})
