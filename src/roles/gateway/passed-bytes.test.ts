import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RawUpstream, until } from '../../kit/upstream/testing/sockets.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

let gateway: GatewayUnderTest
let upstream: RawUpstream
/** What the upstream answers, latin1: the body a moment after the head, so that neither may count on the other. */
let reply = { head: '', body: '', closes: false }

beforeAll(async () => {
  gateway = await startGateway({
    routes: {
      things: {
        prefix: '/things',
        upstream: 'thing-service',
        methods: { GET: 'public', HEAD: 'public', POST: 'public' },
      },
    },
  })
  upstream = await gateway.serveRaw('thing-service', (socket, text) => {
    if (!text.includes('\r\n\r\n')) return false
    const { head, body, closes } = reply
    const together = head.includes('Together')
    socket.write(together ? head + body : head, 'latin1')
    setImmediate(() => {
      if (!together) socket.write(body, 'latin1')
      if (closes) socket.end()
    })
    return true
  })
})
afterAll(() => gateway[Symbol.asyncDispose]())

const head = (method = 'GET') => `${method} /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`
const ask = (method = 'GET') => gateway.send(`${head(method)}\r\n`)
/** What goes over the wire, one character a byte. */
const wire = (text: string) => Buffer.from(text).toString('latin1')

const VALUES = [
  ['UTF-8', wire('Übersicht – 報告.pdf')],
  ['Latin-1', '\xdcbersicht \xa7 3.pdf'],
  ['neither', '\x80\xfe\xff\xc3.pdf'],
] as const

describe('a header with bytes over 7F', () => {
  const answers = [
    ['with a length', 'Content-Length: 2\r\n', 'ok', false],
    ['all at once', 'X-Together: 1\r\nContent-Length: 2\r\n', 'ok', false],
    ['without a body', 'Content-Length: 0\r\n', '', false],
    ['in chunks', 'Transfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n', false],
    ['in chunks at once', 'X-Together: 1\r\nTransfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n', false],
    ['until the close', '', 'ok', true],
  ] as const

  it.each(VALUES.flatMap(([name, value]) => answers.map((answer) => [name, ...answer, value] as const)))(
    'of %s in an answer %s is passed on as it came',
    async (_name, _how, framing, body, closes, value) => {
      const disposition = `Content-Disposition: attachment; filename="${value}"\r\n`
      const other = `X-Name: ${value}\r\n`
      for (const status of ['200 OK', '404 Not Found', '503 Service Unavailable']) {
        reply = { head: `HTTP/1.1 ${status}\r\n${other}${framing}${disposition}\r\n`, body, closes }
        for (const method of ['GET', 'HEAD']) {
          if (method === 'HEAD') reply.body = ''
          const answer = await ask(method)
          expect(answer.slice(0, answer.indexOf('\r\n'))).toBe(`HTTP/1.1 ${status}`)
          expect(answer).toContain(disposition)
          expect(answer).toContain(other)
        }
      }
    },
  )

  it.each(VALUES)('of %s in a request is passed on as it came', async (_name, value) => {
    reply = { head: 'HTTP/1.1 204 No Content\r\n\r\n', body: '', closes: false }
    for (const rest of [
      '\r\n',
      'Content-Length: 2\r\n\r\nok',
      `Content-Length: 9000\r\n\r\n${'x'.repeat(9_000)}`,
      `Content-Length: 90000\r\n\r\n${'x'.repeat(90_000)}`,
      'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ]) {
      const before = upstream.received.map(({ length }) => length)
      const sent = `X-Name: ${value}\r\nContent-Disposition: attachment; filename="${value}"\r\n`
      expect(await gateway.send(head('POST') + sent + rest)).toMatch(/^HTTP\/1\.1 204 /)
      // it may have gone on a connection from before
      expect(upstream.received.map((text, at) => text.slice(before[at] ?? 0)).join('')).toContain(sent)
    }
  })

  it('reaches a client whose own body is still on its way', async () => {
    const line = `X-Name: ${VALUES[1][1]}\r\n`
    for (const answer of ['HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n', 'HTTP/1.1 204 No Content\r\n']) {
      reply = { head: `${answer}${line}\r\n`, body: answer.includes('204') ? '' : 'no', closes: false }
      let seen = ''
      const socket = connect(gateway.port, '127.0.0.1').setEncoding('latin1')
      socket.on('data', (text) => {
        seen += text
      })
      socket.write(`${head('POST')}Content-Length: 1000000\r\n\r\n${'x'.repeat(50_000)}`)
      await until(() => seen.includes('\r\n\r\n'), 'the answer')
      expect(seen).toContain(line)
      socket.destroy()
    }
  })
})

it('passes the words of a status line on', async () => {
  for (const line of ['HTTP/1.1 299 Almost', 'HTTP/1.1 200 D\xe9j\xe0 vu', 'HTTP/1.1 404 ']) {
    reply = { head: `${line}\r\nContent-Length: 2\r\n\r\n`, body: 'ok', closes: false }
    const answer = await ask()
    expect(answer.slice(0, answer.indexOf('\r\n'))).toBe(line)
  }
})

it('passes a head of 40 kB on', async () => {
  const cookies = Array.from({ length: 40 }, (_, at) => `Set-Cookie: c${at}=${'x'.repeat(1_000)}\r\n`).join('')
  for (const cut of [0, 9_000]) {
    const all = `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${cookies}\r\nok`
    reply = { head: all.slice(0, cut), body: all.slice(cut), closes: false }
    expect(await ask()).toContain(cookies)
  }
})
