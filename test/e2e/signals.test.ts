import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, inject, it } from 'vitest'
import { portOf } from '../../src/kit/http/port-of.ts'

const MAIN = inject('program')
/** Time for a busy machine to end a process. */
const SOON_MS = 20_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-signals-'))
const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function msvc(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NO_COLOR: '1', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  running.add(child)
  const said = { out: '', err: '' }
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.err += text
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return code ?? signal
  })
  return { child, said, ended }
}

/** How a process ends after a signal; `late` when it takes too long. */
async function end({ child, ended }: ReturnType<typeof msvc>, signal: NodeJS.Signals): Promise<unknown> {
  child.kill(signal)
  const patience = Promise.withResolvers<string>()
  const timer = setTimeout(() => patience.resolve('late'), SOON_MS)
  return Promise.race([ended, patience.promise]).finally(() => clearTimeout(timer))
}

/** A server that takes requests and never answers; `asked` resolves at the first. */
async function silentServer() {
  const asked = Promise.withResolvers<void>()
  const server = createServer(() => asked.resolve())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    asked: asked.promise,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

describe('a signal ends msvc', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('with %s while it waits for what is piped in', async (signal) => {
    const publish = msvc(['publish', 'news'])
    // more than a pipe holds: written once it is read
    await new Promise((resolve) => publish.child.stdin.write(`"${'x'.repeat(200_000)}`, resolve))
    expect(await end(publish, signal)).toBe(signal)
  })

  it.each([
    ['publish', ['publish', 'news', '{}']],
    ['config get', ['config', 'get', 'user-service']],
    ['subscribe', ['subscribe', 'news']],
    ['subscribe --group', ['subscribe', 'news', '--group', 'g']],
    ['logs --follow', ['logs', '--follow']],
  ])('while %s waits for an answer', async (_, args) => {
    const server = await silentServer()
    const command = msvc(args, { BROKER_URL: server.url, CONFIG_SERVER_URL: server.url, LOG_SERVER_URL: server.url })
    await server.asked
    expect(await end(command, 'SIGTERM')).not.toBe('late')
    server.close()
  })

  it('while a group’s reader waits for the answer to what it acknowledges', async () => {
    const asked = Promise.withResolvers<void>()
    const message = { id: 'm', topic: 'news', offset: 1, timestamp: '2026-01-01T00:00:00Z', attributes: {}, payload: 1 }
    const state = {
      id: 's',
      topic: 'news',
      group: 'g',
      max_deliver: 5,
      ack_wait: 30,
      give_up_after: 86_400,
      pending: 1,
      leased: 0,
    }
    const server = createServer(({ method, url = '' }, answer) => {
      if (url.endsWith('/ack')) asked.resolve()
      else if (method === 'GET') answer.end(JSON.stringify({ subscriptions: [state] }))
      else {
        answer.writeHead(200, { 'content-type': 'text/event-stream' })
        answer.write(`data: ${JSON.stringify({ ...message, ack: 'a', delivery: 1 })}\n\n`)
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const subscribe = msvc(['subscribe', 'news', '--group', 'g', '--count', '1'], {
      BROKER_URL: `http://127.0.0.1:${portOf(server)}`,
    })
    await asked.promise
    expect(await end(subscribe, 'SIGTERM')).not.toBe('late')
    server.closeAllConnections()
    server.close()
  })

  it('while a reader of its output takes nothing', async () => {
    const entry = JSON.stringify({ id: '1', timestamp: 't', level: 'INFO', service: 's', message: 'm'.repeat(60_000) })
    const full = Promise.withResolvers<void>()
    const server = createServer((_, answer) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      for (let n = 0; n < 50; n++) answer.write(`data: ${entry.replace('"t"', '"2026-01-01T00:00:00Z"')}\n\n`)
      answer.write(':\n\n', () => full.resolve())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const logs = msvc(['logs', '--follow', '--limit', '1', '--json'], {
      LOG_SERVER_URL: `http://127.0.0.1:${portOf(server)}`,
    })
    await full.promise
    expect(await end(logs, 'SIGTERM')).not.toBe('late')
    server.closeAllConnections()
    server.close()
  })

  it('while a role starts, and once it has started', async () => {
    writeFileSync(join(folder, 'free.yaml'), 'registry: { port: 0 }\nuser: { port: 0 }\n')
    const args = ['serve', 'user', '--config', 'free.yaml', '--data', join(folder, 'data'), '--json']
    const early = msvc(args)
    await once(early.child, 'spawn')
    expect(await end(early, 'SIGTERM')).not.toBe('late')
    const late = msvc(args)
    await once(late.child.stdout, 'data')
    expect(await end(late, 'SIGTERM')).toBe(0)
  })
})
