import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { AppEnv } from './app-env.ts'
import type { Exchange } from './exchange.ts'
import { type Listener, type ListenerLimits, listen } from './listener.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'
import { exchangeBytes, statusesIn } from './testing/raw-requests.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

async function serve(handle: (exchange: Exchange) => boolean, limits: Partial<ListenerLimits> = {}): Promise<number> {
  const all = { ...DEFAULT_LIMITS, ...limits }
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    limits: all,
    layers: [],
    app: new Hono<AppEnv>(),
    handle,
    clock,
  })
  open.push(listener)
  return listener.port
}

const HEAD = 'POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
const chunked = (pieces: readonly string[]) =>
  `${HEAD}${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`

const digest = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')

/** Answers with how many pieces a body was read in, and its digest. */
function echo({ incoming, outgoing }: Exchange): boolean {
  const pieces: Buffer[] = []
  incoming.on('data', (piece: Buffer) => pieces.push(piece))
  incoming.on('end', () => outgoing.end(`${pieces.length} pieces ${digest(Buffer.concat(pieces))}`))
  return true
}

describe('a request’s body', () => {
  it('is read in few pieces, in order, however many it is sent in', async () => {
    const pieces = [...Array.from({ length: 12_000 }, (_, at) => String(at % 10)), 'L'.repeat(5_000), 'a', 'b', 'c']
    const answer = await exchangeBytes(await serve(echo), chunked(pieces))
    const [, count = '', hash] = /(\d+) pieces (\S+)/.exec(answer) ?? []
    expect(Number(count)).toBeLessThan(20)
    expect(hash).toBe(digest(pieces.join('')))
  })

  it('is parsed a few pieces in a turn of the loop, however many have come and on however many connections', async () => {
    let inTurn = 0
    let inLongestTurn = 0
    const nextTurn = () => {
      inTurn = 0
      turns = setImmediate(nextTurn)
    }
    let turns = setImmediate(nextTurn)
    const port = await serve((exchange) => {
      // so many of each before it first has to wait: those of all may come in one turn, where the process stood still before
      let free = 400
      exchange.incoming.on('data', ({ length }: Buffer) => {
        inTurn += Math.max(0, length - free)
        free = Math.max(0, free - length)
        inLongestTurn = Math.max(inLongestTurn, inTurn)
      })
      return echo(exchange)
    })
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => exchangeBytes(port, chunked(Array(9_000).fill('x')))),
    )
    clearImmediate(turns)
    expect(answers.flatMap(statusesIn)).toEqual(Array(8).fill(200))
    expect(inLongestTurn).toBeLessThan(3_000)
  })

  it('reaches a reader who pauses, and one who comes late', async () => {
    const got = Promise.withResolvers<string>()
    const port = await serve(({ incoming, outgoing }) => {
      void (async () => {
        let text = ''
        for (let waited = 0; waited < 5; waited++) await turn()
        for await (const piece of incoming) {
          text += String(piece)
          await turn()
        }
        got.resolve(text)
        outgoing.end()
      })()
      return true
    })
    const socket = connect(port, '127.0.0.1')
    socket.write(HEAD)
    for (let sent = 0; sent < 200; sent++) {
      socket.write('1\r\nx\r\n')
      if (sent % 10 === 0) await turn()
    }
    socket.write('0\r\n\r\n')
    expect(await got.promise).toBe('x'.repeat(200))
    socket.destroy()
  })

  it('is refused when it comes in more pieces than its bytes need, and nothing behind it is looked at', async () => {
    const port = await serve(echo, { body_pieces: 100 })
    const answer = await exchangeBytes(port, `${chunked(Array(5_000).fill('x'))}GET / HTTP/1.1\r\nHost: a\r\n\r\n`)
    expect(statusesIn(answer)).toEqual([413])
    expect(answer).toContain('too many pieces')
    const fine = await exchangeBytes(port, chunked(Array(5_000).fill('x'.repeat(16))))
    expect(statusesIn(fine)).toEqual([200])
  })

  it('is refused for its pieces too when it was answered before it came', async () => {
    const port = await serve(
      ({ outgoing }) => {
        outgoing.writeHead(404, { 'content-length': 0 }).end()
        return true
      },
      { body_pieces: 100 },
    )
    expect(statusesIn(await exchangeBytes(port, chunked(Array(5_000).fill('x')).slice(0, -5)))).toEqual([404])
  })
})
