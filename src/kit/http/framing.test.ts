import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { framingFault } from './framing.ts'
import { portOf } from './port-of.ts'
import { exchangeBytes, statusesIn } from './testing/raw-requests.ts'

/** A server that asks framingFault before anything else and answers 200 to what both it and node let through. */
let server: Server

beforeAll(async () => {
  server = createServer({ requireHostHeader: false }, (incoming, outgoing) => {
    const fault = framingFault(incoming)
    if (fault) {
      outgoing.writeHead(fault.status, { connection: 'close' }).end()
      return
    }
    incoming.resume().on('end', () => outgoing.writeHead(200, { connection: 'close' }).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

/** Sends bytes, waits until the server closes the connection, gives the status of each response seen. */
const statuses = async (bytes: string) => statusesIn(await exchangeBytes(portOf(server), bytes))

const post = (headers: string, body = '') => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`
const chunked = (body: string) => post('Transfer-Encoding: chunked', body)
const NEXT = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

describe('framing', () => {
  it.each([
    ['a plain GET', 'GET / HTTP/1.1\r\nHost: a:8000\r\n\r\n'],
    ['an IPv6 host', 'GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n'],
    ['HTTP/1.0 without a host', 'GET / HTTP/1.0\r\n\r\n'],
    ['a length', post('Content-Length: 3', 'abc')],
    ['chunks', chunked('3\r\nabc\r\n0\r\n\r\n')],
    ['a coding in capitals', post('Transfer-Encoding: CHUNKED', '0\r\n\r\n')],
    ['chunks with an extension and a trailer', chunked('3;a=b\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n')],
  ])('takes %s', async (_, bytes) => {
    expect(await statuses(bytes)).toEqual([200])
  })

  it.each([
    ['a length beside chunked', post('Content-Length: 3\r\nTransfer-Encoding: chunked', '0\r\n\r\n')],
    ['chunked beside a length', post('Transfer-Encoding: chunked\r\nContent-Length: 3', '0\r\n\r\n')],
    ['two lengths', post('Content-Length: 3\r\nContent-Length: 4', 'abcd')],
    ['one length twice', post('Content-Length: 3\r\nContent-Length: 3', 'abc')],
    ['a list of lengths', post('Content-Length: 3, 3', 'abc')],
    ['a signed length', post('Content-Length: +3', 'abc')],
    ['a hexadecimal length', post('Content-Length: 0x3', 'abc')],
    ['a negative length', post('Content-Length: -3', 'abc')],
    ['a length beyond 64 bits', post('Content-Length: 99999999999999999999', 'abc')],
    ['an empty length', post('Content-Length:', 'abc')],
    ['a space before the colon', post('Content-Length : 3', 'abc')],
    ['Transfer-Encoding: identity', post('Transfer-Encoding: identity')],
    ['Transfer-Encoding: xchunked', post('Transfer-Encoding: xchunked', '0\r\n\r\n')],
    ['Transfer-Encoding: ,chunked', post('Transfer-Encoding: ,chunked', '0\r\n\r\n')],
    ['Transfer-Encoding: x, chunked', post('Transfer-Encoding: x, chunked', '0\r\n\r\n')],
    ['Transfer-Encoding: "chunked"', post('Transfer-Encoding: "chunked"', '0\r\n\r\n')],
    ['Transfer-Encoding with a vertical tab', post('Transfer-Encoding: \vchunked', '0\r\n\r\n')],
    ['chunked, then gzip', post('Transfer-Encoding: chunked, gzip', '0\r\n\r\n')],
    ['chunked twice', post('Transfer-Encoding: chunked, chunked', '0\r\n\r\n')],
    ['two Transfer-Encodings', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', '0\r\n\r\n')],
    ['chunked in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n'],
    ['a folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n')],
    ['bare LF all through', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['a bare LF after a header', `GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n`],
    ['a bare LF after the request line of HTTP/0.9', 'POST /\nHost: a\r\nContent-Length: 3\r\n\r\nabc'],
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n'],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: a\0b\r\n\r\n'],
    ['a signed chunk size', chunked('+3\r\nabc\r\n0\r\n\r\n')],
    ['a 0x chunk size', chunked('0x3\r\nabc\r\n0\r\n\r\n')],
    ['a chunk size beyond 64 bits', chunked('fffffffffffffffff\r\nabc\r\n0\r\n\r\n')],
    ['a bare LF after a chunk size', chunked('3\nabc\r\n0\r\n\r\n')],
    ['a bare LF after a chunk', chunked('3\r\nabc\n0\r\n\r\n')],
    ['a bare LF in a chunk extension', chunked('3;a\nb\r\nabc\r\n0\r\n\r\n')],
    ['a chunk longer than it says', chunked('2\r\nabc\r\n0\r\n\r\n')],
    ['a length among the trailers', chunked('0\r\nContent-Length: 3\r\n\r\n')],
    ['a method nobody knows', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['an empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['a list of hosts', 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n'],
    ['a host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    ['a host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'],
  ])('answers %s with one 400 and closes', async (_, bytes) => {
    expect(await statuses(bytes + NEXT)).toEqual([400])
  })

  it('answers a coding it does not know with 501 and closes', async () => {
    expect(await statuses(post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n') + NEXT)).toEqual([501])
  })
})
