import { createServer, type RequestListener } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { guardedLookup } from '../discovery/address-rule.ts'
import type { Instance } from '../discovery/directory.ts'
import { portOf } from '../http/port-of.ts'
import { createInstanceFetch, neverSent } from './instance-fetch.ts'
import { type RawAnswer, rawUpstream, until } from './testing/sockets.ts'
import { createUpstreams, type UpstreamsOptions } from './upstreams.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

function instanceAt(port: number, host = '127.0.0.1', path = ''): Instance {
  const url = `http://${host}:${port}${path}`
  return { id: '1', service_name: 'thing-service', host, port, url, tags: [], metadata: {} }
}

/** The fetch of an instance. */
function fetchOf(instance: Instance, options: Partial<UpstreamsOptions> = {}): typeof fetch {
  const directory = { instances: () => [instance], onChange: () => () => {} }
  const limits = { maxConnections: 8, uploadShare: 1, callerShare: 1 }
  const upstreams = createUpstreams({ directory, clock, limits, ...options })
  closing.push(() => upstreams.close())
  return createInstanceFetch(upstreams)(instance)
}

/** A server and how to call it. */
async function serve(listener: RequestListener, host?: string) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const instance = instanceAt(portOf(server), host)
  return { instance, call: fetchOf(instance), server }
}

async function raw(answer: RawAnswer) {
  const upstream = await rawUpstream(answer)
  closing.push(() => upstream.close())
  const instance = instanceAt(upstream.port)
  return { upstream, url: instance.url, call: fetchOf(instance) }
}

const faultOf = (answer: Promise<unknown>) =>
  answer.then(
    () => undefined,
    (fault: unknown) => fault,
  )

describe('an instance’s fetch', () => {
  it('sends method, path, headers and body, and gives status, headers and body', async () => {
    const { instance, call } = await serve((request, answer) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text) => {
        body += text
      })
      request.on('end', () => {
        answer.writeHead(201, 'Made', { 'set-cookie': ['a=1', 'b=2'] })
        answer.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }))
      })
    })
    const headers = { 'content-type': 'text/plain', 'x-name': 'value', host: 'elsewhere' }
    const answer = await call(`${instance.url}/a%20b?c=d`, { method: 'POST', headers, body: 'zoë' })
    expect([answer.status, answer.statusText, answer.headers.getSetCookie()]).toEqual([201, 'Made', ['a=1', 'b=2']])
    expect(await answer.json()).toMatchObject({
      method: 'POST',
      url: '/a%20b?c=d',
      headers: {
        'content-type': 'text/plain',
        'x-name': 'value',
        'content-length': '4',
        host: new URL(instance.url).host,
      },
      body: 'zoë',
    })
  })

  it.each([204, 304])('gives a %i without a body', async (status) => {
    const { instance, call } = await serve((_, answer) => answer.writeHead(status).end())
    const answer = await call(instance.url)
    expect([answer.status, answer.body]).toEqual([status, null])
  })

  it('follows no redirect', async () => {
    const { instance, call } = await serve((_, answer) => answer.writeHead(302, { location: '/other' }).end('moved'))
    const answer = await call(instance.url)
    expect([answer.status, await answer.text()]).toEqual([302, 'moved'])
  })

  it('uses a connection again', async () => {
    const { upstream, url, call } = await raw((socket, received) => {
      if (!received.endsWith('\r\n\r\n')) return false
      socket.write(OK)
      return true
    })
    for (let count = 0; count < 3; count++) expect(await (await call(url)).text()).toBe('ok')
    expect(upstream.received).toHaveLength(1)
  })

  it('sends no header that would be two', async () => {
    const { instance, call } = await serve((_, answer) => answer.end())
    await expect(call(instance.url, { headers: { 'x-name': 'a\r\nx-other: b' } })).rejects.toThrow(TypeError)
    await expect(call(instance.url, { method: 'GET / HTTP/1.1\r\n' })).rejects.toThrow(TypeError)
  })

  it('calls a name that resolves to an address where services live', async () => {
    const { instance, call } = await serve((_, answer) => answer.end('ok'), 'localhost')
    expect(await (await call(instance.url)).text()).toBe('ok')
  })

  it('makes no connection to a name that was moved to a refused address since it was registered', async () => {
    const { instance } = await serve((_, answer) => answer.end('ok'), 'localhost')
    // stands for a name server that answers differently by now
    const moved: typeof guardedLookup = (_, options, callback) => guardedLookup('169.254.169.254', options, callback)
    const fault = await faultOf(fetchOf(instance, { lookup: moved })(instance.url))
    expect(fault).toMatchObject({ cause: { code: 'EADDRREFUSED', message: expect.stringContaining('link-local') } })
    expect(neverSent(fault)).toBe(true)
  })

  it('has nothing to do with an address that no service may have', async () => {
    const instance = instanceAt(80, '169.254.169.254')
    expect(neverSent(await faultOf(fetchOf(instance)(instance.url)))).toBe(true)
  })

  it('says that nothing was sent where nobody listens, and not where the answer breaks off', async () => {
    const { upstream, url, call } = await raw((socket) => {
      socket.destroy()
      return true
    })
    expect(neverSent(await faultOf(call(url)))).toBe(false)
    await upstream.close()
    expect(neverSent(await faultOf(call(url)))).toBe(true)
  })

  it('breaks a body off that broke off', async () => {
    const { url, call } = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
      setTimeout(() => socket.destroy(), 20)
      return true
    })
    const answer = await call(url)
    await expect(answer.text()).rejects.toThrow('before its response was complete')
  })

  it('sends what may be repeated once more where its idle connection turns out to be closed, the rest on a new one', async () => {
    let seen = 0
    // answers the first request of each connection, and closes at the second
    const { upstream, url, call } = await raw((socket, received, connection) => {
      if (!received.endsWith('\r\n\r\n')) return false
      seen++
      if (upstream.received[connection]?.match(/HTTP\/1\.1/g)?.length === 1) socket.write(OK)
      else socket.destroy()
      return true
    })
    expect(await (await call(url)).text()).toBe('ok')
    expect(await (await call(url)).text()).toBe('ok')
    expect(seen).toBe(3)
    expect(await (await call(url, { method: 'POST' })).text()).toBe('ok')
    expect(seen).toBe(4)
  })

  it('reads no more of an answer than its reader keeps up with', async () => {
    const total = 16_777_216
    let written = 0
    const { instance, call } = await serve((_, answer) => {
      const piece = Buffer.alloc(65_536)
      const write = () => {
        while (written < total) {
          written += piece.length
          if (!answer.write(piece)) return answer.once('drain', write)
        }
        return answer.end()
      }
      write()
    })
    const { body } = await call(instance.url)
    const reader = body?.getReader()
    let settled = -1
    while (settled !== written) {
      settled = written
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(written).toBeLessThan(total)
    let read = 0
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) read += part.value.length
    expect(read).toBe(total)
  })

  it.each(['before', 'after'])('closes the connection of one that is given up %s its answer began', async (when) => {
    const { upstream, url, call } = await raw((socket) => {
      if (when === 'after') socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
      return true
    })
    const stop = new AbortController()
    const answer = call(url, { signal: stop.signal })
    const text = when === 'after' ? answer.then((response) => response.text()) : answer
    await until(() => upstream.received[0] !== undefined && upstream.received[0] !== '')
    if (when === 'after') await answer
    stop.abort(new Error('given up'))
    await expect(text).rejects.toThrow('given up')
    await until(() => upstream.open.size === 0)
  })

  it('closes the connection of an answer whose reader cancels it', async () => {
    const { upstream, url, call } = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
      return true
    })
    const { body } = await call(url)
    await body?.cancel()
    await until(() => upstream.open.size === 0)
  })

  it('asks nothing of anybody once its signal has fired', async () => {
    const { upstream, url, call } = await raw(() => true)
    await expect(call(url, { signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
    expect(upstream.received).toEqual([])
  })
})
