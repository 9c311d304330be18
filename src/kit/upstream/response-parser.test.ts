import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ResponseHead } from './response-head.ts'
import { ResponseParser } from './response-parser.ts'
import { ResponseSyntaxError } from './response-syntax-error.ts'

interface Parsed {
  readonly heads: ResponseHead[]
  readonly body: string
  readonly ended: boolean
  readonly used: number
  /** What `finish` said, when the upstream closed after the last byte. */
  readonly finished: boolean
}

/** Parses bytes fed in pieces of the given sizes, the rest at once, then closes. */
function parse(text: string, { method = 'GET', sizes = [] as readonly number[] } = {}): Parsed {
  const heads: ResponseHead[] = []
  let body = ''
  let ends = 0
  const parser = new ResponseParser()
  parser.expect(method, {
    onWhole: (head, whole) => {
      heads.push(head)
      body += whole
      ends++
    },
    onHead: (head) => heads.push(head),
    onBody: (bytes) => {
      body += bytes.toString('latin1')
    },
    onEnd: () => {
      ends++
    },
  })
  const bytes = Buffer.from(text, 'latin1')
  let used = 0
  let from = 0
  for (const size of [...sizes, bytes.length]) {
    if (from >= bytes.length) break
    used += parser.execute(bytes.subarray(from, from + size))
    from += size
  }
  const finished = parser.finish()
  expect(ends).toBeLessThanOrEqual(1)
  return { heads, body, ended: ends === 1, used, finished }
}

const refusal = (text: string, method?: string) => {
  try {
    parse(text, method === undefined ? {} : { method })
    return 'taken'
  } catch (thrown) {
    return thrown instanceof ResponseSyntaxError ? 'refused' : thrown
  }
}

describe('ResponseParser', () => {
  it('reads a body by its length', () => {
    const { heads, body, ended, used } = parse(
      'HTTP/1.1 201 Created\r\nContent-Type:  a/b \r\ncontent-length: 3\r\nX: \r\n\r\nabc',
    )
    expect(heads).toEqual([
      {
        status: 201,
        reason: 'Created',
        rawHeaders: ['Content-Type', 'a/b', 'content-length', '3', 'X', ''],
        framing: { by: 'length', length: 3 },
        keepAlive: true,
        keepAliveMs: undefined,
      },
    ])
    expect({ body, ended, used }).toEqual({ body: 'abc', ended: true, used: 72 })
  })

  it('reads chunks, dropping extensions and trailers', () => {
    const { body, ended } = parse(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x="y"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
    )
    expect({ body, ended }).toEqual({ body: 'abc0123456789', ended: true })
  })

  it('reads until the close where nothing else tells the end', () => {
    const { heads, body, ended } = parse('HTTP/1.1 200 OK\r\n\r\nabc')
    expect(heads[0]).toMatchObject({ framing: { by: 'close' }, keepAlive: false })
    expect({ body, ended }).toEqual({ body: 'abc', ended: true })
  })

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n'],
    ['GET', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'],
  ])('expects no body for %s %j', (method, text) => {
    const parsed = parse(text, { method })
    expect(parsed).toMatchObject({ ended: true, body: '', used: text.length, finished: true })
  })

  it('skips interim responses', () => {
    const { heads, body } = parse(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
    )
    expect(heads.map(({ status }) => status)).toEqual([200])
    expect(body).toBe('a')
  })

  it.each([
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', false, undefined],
    ['HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n', false, undefined],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false, undefined],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', true, undefined],
    ['HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\nContent-Length: 0\r\n\r\n', true, 5000],
  ])('knows whether the connection lasts: %j', (text, keepAlive, keepAliveMs) => {
    expect(parse(text).heads[0]).toMatchObject({ keepAlive, keepAliveMs })
  })

  it('leaves what follows the response alone', () => {
    const response = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na'
    const { heads, body, used } = parse(`${response}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb`)
    expect({ heads: heads.length, body, used }).toEqual({ heads: 1, body: 'a', used: response.length })
  })

  it.each([
    'HTTP/1.1 200 OK\r\nContent-Le',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n',
    '',
  ])('sees that %j was cut', (text) => {
    expect(parse(text)).toMatchObject({ finished: false, ended: false })
  })

  it.each([
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 99 OK\r\n\r\n',
    'HTTP/1.1 600 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\n\n\r\n\r\n',
    'SSH-2.0-x\r\n\r\n',
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\n folded\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
    'HTTP/1.1 200 OK\r\n: b\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: \0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ...['g', '-1', '+1', '0x1', '', ' 1', '1 1', '1\n', '11111111111111', '1;\u0001'].map(
      (size) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\na\r\n0\r\n\r\n`,
    ),
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'X: 1\r\n'.repeat(5_000)}\r\n`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(5_000)}\r\na\r\n0\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`,
    'x'.repeat(70_000),
    'HTTP/1.1 200 OK\nA: b\n\n',
    'HTTP/1.1 200 OK\r\nA: b\n',
    'SSH-2.0-x\r\n',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1;x=y\r\na\r\n'.repeat(5_000)}0\r\n\r\n`,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\nb\r\n0\r\n\r\n',
    'HTTP/1.1 103 Hints\r\n\r\n'.repeat(20),
  ])('refuses %.80j', (text) => {
    expect(refusal(text)).toBe('refused')
  })

  it('finds the same in however many pieces it comes', () => {
    const texts = [
      'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nA: b\r\n\r\nhello\r\n\r\nabc',
      'HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n2\r\n\r\n\r\n0\r\nT: r\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0B\r\n0123456789b\r\n1C\r\n0123456789012345678901234567\r\n0000001\r\nz\r\n1\r\n\r\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nDate: now\r\n\r\nuntil the close',
      'HTTP/1.1 204 None\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcSURPLUS',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(fc.integer({ min: 1, max: 20 })), (text, sizes) => {
        const { heads, body, ended, used } = parse(text)
        expect(parse(text, { sizes })).toMatchObject({ heads, body, ended, used })
      }),
    )
  })

  it('never does anything but parse or refuse', () => {
    const piece = fc.constantFrom(
      'HTTP/1.1 ',
      '200',
      ' OK',
      '\r\n',
      '\n',
      '\r',
      'Content-Length: ',
      '3',
      'abc',
      'Transfer-Encoding: chunked',
      ': ',
      '0',
      ' ',
      '\0',
      'é',
      ';',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        expect(['taken', 'refused']).toContain(refusal(pieces.join('')))
      }),
      { numRuns: 500 },
    )
  })
})
