import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { portOf } from '../http/port-of.ts'
import { silentLog as log } from '../telemetry/testing/recorded-log.ts'
import type { Instance } from './directory.ts'
import { createDirectory } from './registry-directory.ts'

const SERVICE = 'user-service'
const user = (port: number): Instance => {
  const url = `http://127.0.0.1:${port}`
  return { id: `i${port}`, service_name: SERVICE, host: '127.0.0.1', port, url, tags: [], metadata: { a: 'b' } }
}

let folder: string
let port: number
const closing: (() => unknown)[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kept-list-'))
  port = portOf(await listening(createServer(), 0))
  for (const close of closing.splice(0)) await close()
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true, force: true })
})

async function listening<S extends Server>(server: S, at = port): Promise<S> {
  await once(server.listen(at, '127.0.0.1'), 'listening')
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket))
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await once(server.close(), 'close')
  })
  return server
}

/** A registry that says what it knows to who watches. */
const registry = (run: string, ...instances: readonly Instance[]) =>
  listening(
    createHttpServer((_, answer) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      answer.write(`event: snapshot\ndata: ${JSON.stringify({ registry: run, revision: 1, instances })}\n\n`)
    }),
  )

function open(registryUrl = `http://127.0.0.1:${port}`) {
  const directory = createDirectory({ statics: {}, registryUrl, folder, service: 'order-service', log, clock })
  closing.push(() => directory.close())
  return directory
}

/** Lets a directory hear of an instance, and ends both. */
async function hear(...instances: readonly Instance[]) {
  await registry('run-1', ...instances)
  await open().waitFor(SERVICE, AbortSignal.timeout(10_000))
  for (const close of closing.splice(0).reverse()) await close()
}

it('asks the next registry when one hangs', async () => {
  const hanging = portOf(await listening(createServer(), 0))
  await registry('run-1', user(8001))
  const directory = open(`http://127.0.0.1:${hanging}, http://127.0.0.1:${port}`)
  expect(await directory.waitFor(SERVICE, AbortSignal.timeout(20_000))).toEqual([user(8001)])
})

describe('the list kept from before', () => {
  it('is used by the next process while the registry hangs', async () => {
    await hear(user(8001))
    await listening(createServer())
    expect(await open().waitFor(SERVICE, AbortSignal.timeout(10_000))).toEqual([user(8001)])
  })

  it('is used while the registry is not there, and given up for what it says', async () => {
    await hear(user(8001), user(8002))
    const directory = open()
    expect(await directory.waitFor(SERVICE, AbortSignal.timeout(10_000))).toHaveLength(2)
    await registry('run-1', user(8002))
    await expect.poll(() => directory.instances(SERVICE)).toEqual([user(8002)])
  })

  it('is one file of its own, whole, for the owner alone', async () => {
    await hear(user(8001))
    expect(readdirSync(folder)).toEqual(['known-instances.json'])
    expect(JSON.parse(readFileSync(join(folder, 'known-instances.json'), 'utf8'))).toMatchObject({ registry: 'run-1' })
  })

  it('is not waited for where it is no file', async () => {
    execFileSync('mkfifo', [join(folder, 'known-instances.json')])
    await expect(open().waitFor(SERVICE, AbortSignal.timeout(1_500))).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('takes away what a killed process left of it half written, and nothing that may be under way', async () => {
    for (const name of ['left', 'under-way']) writeFileSync(join(folder, `known-instances.json.${name}`), '{"from')
    utimesSync(join(folder, 'known-instances.json.left'), 0, 0)
    open()
    expect(readdirSync(folder)).toEqual(['known-instances.json.under-way'])
  })

  it.each([
    ['another registry’s', (text: string) => text.replace(/"from":"[^"]*"/, '"from":"http://127.0.0.1:1"')],
    ['cut', (text: string) => text.slice(0, 40)],
    ['empty', () => ''],
    ['of addresses that nobody may call', (text: string) => text.replaceAll('127.0.0.1:8001', '169.254.169.254')],
  ])('is left alone when it is %s', async (_, change) => {
    await hear(user(8001))
    const file = join(folder, 'known-instances.json')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
    const directory = open()
    await expect(directory.waitFor(SERVICE, AbortSignal.timeout(1_000))).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})
