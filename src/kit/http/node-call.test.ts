import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { nodeCall } from './node-call.ts'
import { portOf } from './port-of.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${portOf(server)}`
}

describe('nodeCall', () => {
  it('sends method, headers and body, and gives the answer', async () => {
    const url = await serve((asked, answer) => {
      asked.setEncoding('utf8').once('data', (body: string) => {
        answer.writeHead(201, { 'content-type': 'application/json' })
        answer.end(JSON.stringify({ method: asked.method, path: asked.url, agent: asked.headers['user-agent'], body }))
      })
    })
    const answer = await nodeCall(`${url}/a?b=c`, { method: 'POST', headers: { 'user-agent': 'me' }, body: 'hé' })
    expect(answer).toMatchObject({ status: 201, ok: true })
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('etag')).toBeNull()
    expect(await answer.json()).toEqual({ method: 'POST', path: '/a?b=c', agent: 'me', body: 'hé' })
  })

  it('gives a redirect as the answer that it is', async () => {
    const url = await serve((_, answer) => answer.writeHead(307, { location: 'http://169.254.169.254/' }).end())
    const answer = await nodeCall(url, {})
    expect(answer).toMatchObject({ status: 307, ok: false })
    answer.cancel()
  })

  it('rejects with the reason when it is given up before, while it waits, and while it is read', async () => {
    const url = await serve((asked, answer) => {
      if (asked.url === '/begun') answer.write('{')
    })
    const why = new Error('no longer wanted')
    await expect(nodeCall(url, { signal: AbortSignal.abort(why) })).rejects.toBe(why)

    const waiting = new AbortController()
    const asked = nodeCall(url, { signal: waiting.signal })
    waiting.abort(why)
    await expect(asked).rejects.toBe(why)

    const reading = new AbortController()
    const answer = await nodeCall(`${url}/begun`, { signal: reading.signal })
    const read = answer.json()
    reading.abort(why)
    await expect(read).rejects.toBe(why)
  })

  it('rejects when nobody listens, and when an answer breaks off', async () => {
    const url = await serve((asked, answer) => {
      answer.write('{"half":')
      setImmediate(() => asked.socket.destroy())
    })
    const answer = await nodeCall(url, {})
    await expect(answer.json()).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect(nodeCall('http://127.0.0.1:1', {})).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
