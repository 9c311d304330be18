import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { isLoopbackName } from '../discovery/address-rule.ts'
import type { AppEnv } from '../http/app-env.ts'
import type { Listener } from '../http/listener.ts'
import { exchangeBytes } from '../http/testing/raw-requests.ts'
import type { Running } from '../role.ts'
import type { ChainOptions } from './chain.ts'
import { listenBehindChain } from './testing/chained-listener.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

/** Status of a GET with such header lines. */
async function ask(lines: string, parts: Partial<ChainOptions> = {}, role: Partial<Running> = {}, method = 'GET') {
  const app = new Hono<AppEnv>().all('/', (c) => c.text('here'))
  const listener = await listenBehindChain({ app, ...role }, parts)
  open.push(listener)
  const answer = await exchangeBytes(listener.port, `${method} / HTTP/1.1\r\n${lines}\r\nConnection: close\r\n\r\n`)
  return Number(/^HTTP\/1.1 (\d{3})/.exec(answer.replace(/^HTTP\/1.1 100 [\s\S]*?\r\n\r\n/, ''))?.[1])
}

const SHOP = { origins: ['https://shop.example', 'http://localhost:3000'] }
const HOST = 'Host: localhost:8001'

describe('the guard', () => {
  it.each([
    ['nothing said', '', 200],
    ['its own page', '\r\nSec-Fetch-Site: same-origin', 200],
    ['its own page, with an Origin', '\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://localhost:8001', 200],
    ['its own page behind TLS', '\r\nOrigin: https://localhost:8001', 200],
    ['somebody who typed the address', '\r\nSec-Fetch-Site: none', 200],
    ['another site', '\r\nSec-Fetch-Site: cross-site', 403],
    ['another port', '\r\nSec-Fetch-Site: same-site', 403],
    ['another site in capitals', '\r\nSec-Fetch-Site: Cross-Site', 403],
    ['its own page in capitals', '\r\nSec-Fetch-Site: Same-Origin', 403],
    ['nobody knows where', '\r\nSec-Fetch-Site: elsewhere', 403],
    ['nowhere', '\r\nSec-Fetch-Site: ', 403],
    ['two sites', '\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site', 403],
    ['a page of another port', '\r\nOrigin: http://localhost:3000', 403],
    ['a page of this machine', '\r\nOrigin: http://127.0.0.1:8001', 403],
    [
      'a page of another port that says it is its own',
      '\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://localhost:3000',
      403,
    ],
    ['a foreign page', '\r\nOrigin: https://evil.example', 403],
    ['a page without origin', '\r\nOrigin: null', 403],
    ['an empty Origin', '\r\nOrigin: ', 403],
    ['two Origins', '\r\nOrigin: http://localhost:8001\r\nOrigin: https://evil.example', 403],
    ['an Origin with a path', '\r\nOrigin: http://localhost:8001/', 403],
    [
      'a WebSocket of a foreign page',
      '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://evil.example',
      403,
    ],
    ['a redirect through elsewhere', '\r\nSec-Fetch-Site: cross-site\r\nOrigin: http://localhost:8001', 403],
  ])('answers a request from %s as it should', async (_, lines, status) => {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS'])
      expect(await ask(HOST + lines, {}, {}, method)).toBe(status)
  })

  it.each([
    ['one of them', '\r\nSec-Fetch-Site: cross-site\r\nOrigin: https://shop.example', 200],
    ['one of another port', '\r\nSec-Fetch-Site: same-site\r\nOrigin: http://localhost:3000', 200],
    ['one with another port', '\r\nOrigin: https://shop.example:8443', 403],
    ['one that begins like it', '\r\nOrigin: https://shop.example.evil', 403],
    ['any without an Origin', '\r\nSec-Fetch-Site: cross-site', 403],
  ])('knows the pages that may call: %s', async (_, lines, status) => {
    expect(await ask(HOST + lines, SHOP)).toBe(status)
  })

  it.each([
    ['a link from elsewhere', '\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate', 200],
    ['a foreign page', '\r\nSec-Fetch-Site: cross-site\r\nOrigin: https://evil.example', 403],
    ['a page of another port', '\r\nOrigin: http://localhost:3000', 403],
  ])('lets links to a role whose pages may be linked to: %s', async (_, lines, status) => {
    expect(await ask(HOST + lines, {}, { linkable: true })).toBe(status)
  })

  it.each([
    ['localhost', 200],
    ['LOCALHOST:1', 200],
    ['localhost.', 200],
    ['localhost.:8001', 200],
    ['a.b.localhost', 200],
    ['127.0.0.1', 200],
    ['127.1.2.3', 200],
    ['[::1]:1', 200],
    ['[0:0:0:0:0:0:0:1]', 200],
    ['[0:0:0:0:0:0:0:1]:8001', 200],
    ['[::0001]', 200],
    ['localhost:', 200],
    ['localhost.:', 200],
    ['LOCALHOST:', 200],
    ['127.0.0.1:', 200],
    ['127.0.0.1.', 200],
    ['[::1]:', 200],
    ['localhost:080', 200],
    ['localhost:80', 200],
    ['localhost:65535', 200],
    ['localhost:65536', 400],
    ['localhost:99999', 400],
    ['[::1].', 400],
    [':', 400],
    [':80', 400],
    ['api.example', 403],
    ['.localhost', 403],
    ['foo..localhost', 403],
    ['localhost..', 403],
    ['notlocalhost', 403],
    ['127.999.1.1', 403],
    ['127.0.0.256', 403],
    ['127.0.0.01', 403],
    ['127.1', 403],
    ['127.0.0.1.evil.example', 403],
    ['2130706433', 403],
    ['0.0.0.0', 403],
    ['[::ffff:127.0.0.1]', 403],
    ['[::2]', 403],
    ['[::1%lo]', 400],
  ])('knows by its Host what was meant for this machine: %s', async (host, status) => {
    expect(await ask(`Host: ${host}`)).toBe(status)
  })

  it.each(['api.example.com', 'API.example.com:443', 'api.example.com.'])(
    'serves the names it was given, such as %s',
    async (host) => {
      for (const hosts of [['api.example.com'], ['Api.Example.com.']])
        expect(await ask(`Host: ${host}`, { hosts })).toBe(200)
    },
  )

  it.each([
    ['100-continue', 200],
    ['100-Continue', 200],
    ['y 100-continue', 417],
    ['100-continue, x', 417],
    ['100-continue=1', 417],
    ['', 417],
  ])('meets no expectation but one: %s', async (expectation, status) => {
    expect(await ask(`${HOST}\r\nExpect: ${expectation}`)).toBe(status)
  })
})

describe('isLoopbackName', () => {
  it('takes an address as a config has it', () => {
    expect(['::1', '127.0.0.1', 'Localhost'].map(isLoopbackName)).toEqual([true, true, true])
    expect(['::', '0.0.0.0', 'example.com', '127.0.0', '::127.0.0.1'].some(isLoopbackName)).toBe(false)
  })
})
