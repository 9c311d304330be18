import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import * as z from 'zod'
import { AppError } from '../errors.ts'
import { controlAddress } from './control-address.ts'
import { connectControl } from './control-client.ts'
import { Done } from './control-protocol.ts'
import { type ControlHandler, openControl } from './control-server.ts'

const root = mkdtempSync(join(tmpdir(), 'msvc-control-'))
afterAll(() => rmSync(root, { recursive: true }))
const never = new AbortController().signal
let count = 0

async function open(handle: ControlHandler, folder = join(root, String(count++))) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const address = controlAddress(folder)
  const server = await openControl(address, handle)
  onTestFinished(() => server.close())
  const client = await connectControl(address)
  onTestFinished(() => client.close())
  return { address, server, client }
}

describe('the control channel', () => {
  it('answers each request, whichever is done first', async () => {
    const first = Promise.withResolvers<unknown>()
    const { client } = await open((request) =>
      request.do === 'look' ? first.promise : Promise.resolve({ paused_ms: 7 }),
    )
    const look = client.ask({ do: 'look' }, z.object({ ready: z.boolean() }), never)
    expect(await client.ask({ do: 'move', id: 'one' }, z.object({ paused_ms: z.number() }), never)).toEqual({
      paused_ms: 7,
    })
    first.resolve({ ready: true })
    expect(await look).toEqual({ ready: true })
  })

  it('tells why something was not done', async () => {
    const { client } = await open(() => Promise.reject(new AppError('CONFLICT', 'user is not ready')))
    await expect(client.ask({ do: 'copy' }, Done, never)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'user is not ready',
    })
  })

  it('is for its owner alone, and takes the place of what a killed process left', async () => {
    const folder = join(root, String(count++))
    mkdirSync(folder)
    writeFileSync(join(folder, 'control.sock'), '')
    const { address } = await open(async () => ({}), folder)
    expect(statSync(address).mode & 0o777).toBe(0o600)
  })

  it('tells who asked that it is gone, and the platform that he is', async () => {
    const gone = Promise.withResolvers<void>()
    const heard = Promise.withResolvers<void>()
    const { client, server } = await open((_, signal) => {
      signal.addEventListener('abort', () => gone.resolve())
      heard.resolve()
      return new Promise(() => {})
    })
    const asked = client.ask({ do: 'look' }, Done, never)
    const other = expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await heard.promise
    await server.close()
    await Promise.all([other, gone.promise])
    await expect(client.ask({ do: 'look' }, Done, never)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it.each([
    ['another version', '{"version":99,"number":1,"request":{"do":"look"}}', /"NOT_IMPLEMENTED"/],
    ['what it does not know', '{"version":1,"number":1,"request":{"do":"dance"}}', /"NOT_IMPLEMENTED"/],
    ['no JSON', 'GET / HTTP/1.1', undefined],
  ])('refuses %s', async (_, line, said) => {
    const { address } = await open(async () => ({}))
    const socket = connect({ path: address })
    let heard = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text
      socket.end()
    })
    socket.write(`${line}\n`)
    await once(socket, 'close')
    if (said) expect(heard).toMatch(said)
    else expect(heard).toBe('')
  })

  /** Connects without a word, so many times; `ended` tells whom the platform has left. */
  async function dumb(address: string, howMany: number) {
    const ended: number[] = []
    for (let who = 0; who < howMany; who++) {
      const socket = connect({ path: address }).on('error', () => {})
      onTestFinished(() => void socket.destroy())
      socket.resume().once('close', () => ended.push(who))
      await once(socket, 'connect')
    }
    return ended
  }

  it('answers beside more connections than it takes of which nothing comes, and gives up the oldest', async () => {
    const { address, client } = await open(async () => ({}))
    await client.ask({ do: 'look' }, Done, never)
    const ended = await dumb(address, 16)
    const other = await connectControl(address)
    onTestFinished(() => other.close())
    expect(await other.ask({ do: 'look' }, Done, never)).toEqual({})
    await vi.waitUntil(() => ended.length === 2, { timeout: 20_000 })
    expect(ended).toEqual([0, 1])
    expect(await client.ask({ do: 'look' }, Done, never)).toEqual({})
  })

  it('ends a connection of which no line has come for 5 s, and none of which one has', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { address, client } = await open(async () => ({}))
    await client.ask({ do: 'look' }, Done, never)
    const late = await connectControl(address)
    onTestFinished(() => late.close())
    const ended = await dumb(address, 1)
    // the platform has taken all of them once it answers who came last
    const last = await connectControl(address)
    await last.ask({ do: 'look' }, Done, never)
    last.close()
    vi.advanceTimersByTime(4_999)
    expect(ended).toEqual([])
    vi.advanceTimersByTime(1)
    vi.useRealTimers()
    await vi.waitUntil(() => ended.length === 1, { timeout: 20_000 })
    expect(await client.ask({ do: 'look' }, Done, never)).toEqual({})
    await expect(late.ask({ do: 'look' }, Done, never)).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
  })

  it('tells whom it does not take that it is busy', async () => {
    let heard = 0
    const { address, client } = await open(() => {
      heard++
      return new Promise(() => {})
    })
    const others = await Promise.all(Array.from({ length: 15 }, () => connectControl(address)))
    const clients = [client, ...others]
    for (const each of clients) {
      onTestFinished(() => each.close())
      each.ask({ do: 'look' }, Done, never).catch(() => {})
    }
    await vi.waitUntil(() => heard === 16, { timeout: 20_000 })
    const busy = { code: 'RATE_LIMITED', message: expect.stringMatching(/busy.*again/) }
    const one = await connectControl(address)
    await expect(one.ask({ do: 'look' }, Done, never)).rejects.toMatchObject(busy)
    await expect(one.ask({ do: 'look' }, Done, never)).rejects.toMatchObject(busy)
  })

  it('says where no platform is', async () => {
    await expect(connectControl(join(root, 'none.sock'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('controlAddress', () => {
  it('lies in the data folder, where a path may be so long', async () => {
    expect(controlAddress('/data')).toBe('/data/control.sock')
    const long = join(root, 'x'.repeat(120))
    const address = controlAddress(long)
    expect(Buffer.byteLength(address)).toBeLessThan(104)
    expect(controlAddress(long)).toBe(address)
    expect(controlAddress(`${long}y`)).not.toBe(address)
    const { client } = await open(async () => ({}), long)
    expect(await client.ask({ do: 'look' }, Done, never)).toEqual({})
    expect(controlAddress('/data', 'win32')).toMatch(/^\\\\\.\\pipe\\msvc-[0-9a-f]{32}$/)
  })
})
