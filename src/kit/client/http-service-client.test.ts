import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import { runInScope } from '../telemetry/scope.ts'
import { close, json, scope, TestPlatform, TRACE } from './testing/platform.ts'

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const codeOf = (fault: AppError) => fault.code

describe('service client', () => {
  let platform: TestPlatform
  beforeEach(() => {
    platform = new TestPlatform()
  })
  afterEach(async () => {
    platform.close()
    await Promise.all(platform.servers.map(close))
  })

  it('speaks JSON with every method', async () => {
    await platform.serve(async (request, answer) => {
      if (request.method === 'DELETE') return answer.writeHead(204).end()
      json(answer, 200, {
        method: request.method,
        url: request.url,
        type: request.headers['content-type'],
        body: await bodyOf(request),
      })
    })
    const client = platform.client()
    expect(await client.get('/api/users', { query: { limit: 2, after: undefined, q: 'a b&c' } })).toEqual({
      method: 'GET',
      url: '/api/users?limit=2&q=a+b%26c',
      body: '',
    })
    const sent = { url: '/api/users/1', type: 'application/json', body: '{"a":1}' }
    expect(await client.post('/api/users/1', { a: 1 })).toEqual({ method: 'POST', ...sent })
    expect(await client.put('/api/users/1', { a: 1 })).toEqual({ method: 'PUT', ...sent })
    expect(await client.patch('/api/users/1', { a: 1 })).toEqual({ method: 'PATCH', ...sent })
    expect(await client.delete('/api/users/1')).toBeUndefined()
  })

  it('passes on trace, request id, identity and deadline', async () => {
    platform.mode = 'token'
    await platform.serve((request, answer) => json(answer, 200, request.headers))
    const client = platform.client()
    const asker = { is: 'user', subject: 'zoë\r\nx: y', scopes: new Set(['orders:read', 'orders:write']) } as const
    const deadline = performance.now() + 4_000
    const headers = await runInScope(scope({ asker, deadline }), () => client.get('/api/users/1'))
    expect(headers).toMatchObject({
      traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
      'x-trace-id': TRACE,
      'x-span-id': 'b7ad6b7169203331',
      'x-request-id': 'request-1',
      'x-caller': 'user',
      'x-user-id': 'zo%C3%AB%0D%0Ax:%20y',
      'x-user-scopes': 'orders:read orders:write',
      authorization: 'Bearer order-service-for-user-service',
    })
    const left = Number((headers as Record<string, string>)['x-deadline-ms'])
    expect(left).toBeGreaterThanOrEqual(Math.floor(deadline - performance.now()))
    expect(left).toBeLessThanOrEqual(4_000)
    expect(platform.spans).toMatchObject([
      {
        name: 'GET user-service',
        parent: '00f067aa0ba902b7',
        keep: true,
        end: { failed: false, attributes: { 'http.response.status_code': 200, 'url.path': '/api/users/1' } },
      },
    ])
  })

  it('gives a 4xx as the same error, once', async () => {
    let calls = 0
    await platform.serve((_, answer) => {
      calls++
      json(answer, 404, { code: 'NOT_FOUND', error: 'User not found', detail: 'no user 9', status: 404 })
    })
    await expect(platform.client().get('/api/users/9')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      message: 'User not found',
      detail: 'no user 9',
    })
    expect(calls).toBe(1)
    expect(platform.spans).toMatchObject([{ keep: false, end: { failed: false } }])
  })

  it.each([
    [418, '<html>', 'INVALID_REQUEST'],
    [429, '{"code":"__proto__"}', 'RATE_LIMITED'],
    [409, '{"code":"INTERNAL","error":["x"]}', 'CONFLICT'],
    [500, '{"code":"INTERNAL"}', 'UPSTREAM_FAILED'],
    [302, '', 'UPSTREAM_FAILED'],
    [200, 'not json', 'UPSTREAM_FAILED'],
  ])('turns a foreign %i %s into %s', async (status, text, code) => {
    await platform.serve((_, answer) => answer.writeHead(status, { location: 'http://169.254.169.254/' }).end(text))
    await expect(platform.client().get('/x')).rejects.toMatchObject({ code })
  })

  it('tries a GET three times, on another instance each time there is one', async () => {
    const seen: string[] = []
    await platform.serve((_, answer) => {
      seen.push('first')
      json(answer, seen.length < 3 ? 503 : 200, { ok: true })
    })
    await platform.serve((_, answer) => {
      seen.push('second')
      json(answer, seen.length < 3 ? 502 : 200, { ok: true })
    })
    expect(await platform.client().get('/x')).toEqual({ ok: true })
    expect(seen).toHaveLength(3)
    expect(seen.slice(0, 2).sort()).toEqual(['first', 'second'])
    expect(platform.spans[0]?.end?.attributes).toMatchObject({ 'http.request.resend_count': 2 })
  })

  it('gives up after three', async () => {
    let calls = 0
    await platform.serve((_, answer) => {
      calls++
      json(answer, 503, { code: 'STOPPING' })
    })
    await expect(platform.client().get('/x')).rejects.toMatchObject({
      code: 'UPSTREAM_FAILED',
      message: expect.stringContaining('503 (STOPPING)'),
    })
    expect(calls).toBe(3)
  })

  it('sends a POST once, or three times with an idempotency key', async () => {
    const keys: unknown[] = []
    await platform.serve((request, answer) => {
      keys.push(request.headers['idempotency-key'])
      request.resume()
      json(answer, 503, {})
    })
    const client = platform.client()
    await expect(client.post('/x', {})).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' })
    expect(keys).toEqual([undefined])
    await expect(client.post('/x', {}, { idempotencyKey: 'k1' })).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' })
    expect(keys).toEqual([undefined, 'k1', 'k1', 'k1'])
  })

  it('sends a POST that was cut off only once', async () => {
    let calls = 0
    await platform.serve((request) => {
      calls++
      request.socket.destroy()
    })
    await expect(platform.client().post('/x', {})).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' })
    expect(calls).toBe(1)
  })

  it('takes a POST to another instance when nobody listened at the first', async () => {
    await platform.addDead()
    await platform.serve((_, answer) => json(answer, 201, { made: true }))
    expect(await platform.client().post('/x', {})).toEqual({ made: true })
  })

  it('leaves a service alone that asks for a long pause', async () => {
    let calls = 0
    await platform.serve((_, answer) => {
      calls++
      json(answer, 503, {}, { 'retry-after': '3600' })
    })
    await expect(platform.client().get('/x')).rejects.toMatchObject({ headers: { 'retry-after': '3600' } })
    expect(calls).toBe(1)
  })

  it('times out, and holds to the deadline of its scope', async () => {
    await platform.serve(() => {})
    const client = platform.client()
    await expect(client.post('/x', {}, { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      status: 504,
    })
    const before = performance.now()
    const inTime = runInScope(scope({ deadline: before + 60 }), () => client.get('/x'))
    await expect(inTime).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' })
    // without one it would be 5 s
    expect(performance.now() - before).toBeLessThan(4_500)
    const late = runInScope(scope({ deadline: before }), () => client.get('/x'))
    await expect(late).rejects.toMatchObject({ message: expect.stringContaining('no time left') })
  })

  it('stops at once when its caller gives up, also between attempts', async () => {
    await platform.serve((_, answer) => json(answer, 503, {}, { 'retry-after': '2' }))
    const signal = AbortSignal.timeout(50)
    const asked = platform
      .client()
      .get('/x', { signal, fallback: () => 'no' })
      .catch(codeOf)
    const tooLate = new Promise((resolve) => setTimeout(resolve, 1_500, 'too late'))
    expect(await Promise.race([asked, tooLate])).toBe('UPSTREAM_TIMEOUT')
  })

  it('closes the breaker as soon as the service says that it is ready', async () => {
    let at: 'hanging' | 'well' = 'hanging'
    const hanging: ServerResponse[] = []
    await platform.serve((_, answer) => (at === 'well' ? json(answer, 200, {}) : hanging.push(answer)))
    const client = platform.client()
    const get = () => client.post('/x', {}, { timeoutMs: 1_200 }).then(() => 'ok', codeOf)
    const late = 'UPSTREAM_TIMEOUT'
    expect(await Promise.all([get(), get(), get(), get(), get()])).toEqual([late, late, late, late, late])
    await expect(client.get('/x')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN', headers: { 'retry-after': '1' } })
    at = 'well'
    await expect.poll(get).toBe('ok')
  })

  it('asks again while a probe hangs, since the wire may be whole by now', async () => {
    let hanging = 0
    await platform.serve(({ url }, answer) => {
      if (url !== '/readyz') return json(answer, 500, {})
      hanging++
      answer.on('close', () => hanging--)
    })
    const client = platform.client()
    for (let i = 0; i < 5; i++) await client.post('/x', {}).catch(() => {})
    await expect.poll(() => hanging, { interval: 5 }).toBe(2)
  })

  it('opens the breaker after 5 failures and lets one probe through 60 s later', async () => {
    let calls = 0
    let healthy = false
    await platform.serve(({ url }, answer) => {
      if (url === '/readyz') return json(answer, 503, {})
      calls++
      json(answer, healthy ? 200 : 500, {})
    })
    const client = platform.client()
    const get = () => client.get('/x').then(() => 'ok', codeOf)
    for (let i = 0; i < 5; i++) expect(await get()).toBe('UPSTREAM_FAILED')
    expect(await get()).toBe('CIRCUIT_OPEN')
    expect(calls).toBe(5)
    platform.ahead = 60_000
    expect((await Promise.all([get(), get(), get()])).sort()).toEqual([
      'CIRCUIT_OPEN',
      'CIRCUIT_OPEN',
      'UPSTREAM_FAILED',
    ])
    expect(calls).toBe(6)
    platform.ahead = 120_000
    healthy = true
    expect(await get()).toBe('ok')
    expect(await Promise.all([get(), get()])).toEqual(['ok', 'ok'])
  })

  it('answers with the last good answer, then with the fallback', async () => {
    const server = await platform.serve((_, answer) => json(answer, 200, { name: 'john' }))
    const client = platform.client()
    expect(await client.get('/users/1', { cacheMs: 60_000 })).toEqual({ name: 'john' })
    await close(platform.servers[0])
    expect(await client.get('/users/1', { cacheMs: 60_000, fallback: () => 'fallback' })).toEqual({ name: 'john' })
    expect(await client.get('/users/2', { cacheMs: 60_000, fallback: () => 'fallback' })).toBe('fallback')
    const other = scope({ asker: { is: 'user', subject: 'bob', scopes: new Set() } })
    expect(await runInScope(other, () => client.get('/users/1', { cacheMs: 60_000, fallback: () => 'fallback' }))).toBe(
      'fallback',
    )
    platform.ahead = 60_001
    const failure = (fault: unknown) => {
      throw fault
    }
    await expect(client.get('/users/1', { cacheMs: 60_000, fallback: failure })).rejects.toBeInstanceOf(AppError)
    expect(server.service_name).toBe('user-service')
  })

  it('says which service is unknown and what to do', async () => {
    const asked = platform.client().get('/x', { timeoutMs: 20 })
    await expect(asked).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('USER_SERVICE_URL'),
    })
  })

  it('reads no answer over 10 MB', async () => {
    await platform.serve((_, answer) => {
      answer.writeHead(200)
      const chunk = Buffer.alloc(1_048_576, 'x')
      const more = () => {
        while (!answer.destroyed && answer.write(chunk)) {}
      }
      answer.on('drain', more)
      more()
    })
    await expect(platform.client().get('/x')).rejects.toMatchObject({ message: expect.stringContaining('10 MB') })
  })

  it('shares a GET among those who ask before it starts, per asker', async () => {
    const waiting: ServerResponse[] = []
    let arrived = () => {}
    await platform.serve((_, answer) => {
      waiting.push(answer)
      arrived()
    })
    const arrival = (count: number) =>
      new Promise<void>((resolve) => {
        arrived = () => waiting.length >= count && resolve()
        arrived()
      })
    const client = platform.client()
    const get = () => client.get('/users/1', { share: true })
    const first = get()
    const [second, third] = [get(), get()]
    const bob = scope({ asker: { is: 'user', subject: 'bob', scopes: new Set() } })
    const his = runInScope(bob, get)
    const nobodys = runInScope(scope({ asker: { is: 'nobody' } }), get)
    await arrival(4)
    for (const [at, answer] of waiting.entries()) json(answer, 200, at)
    const answers = await Promise.all([first, second, third, his, nobodys])
    expect(waiting).toHaveLength(4)
    expect(answers[1]).toBe(answers[2])
    expect(new Set(answers).size).toBe(4)
  })

  it('ends what is under way when it is closed', async () => {
    let arrived = () => {}
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    await platform.serve(() => arrived())
    const client = platform.client()
    const asked = client.get('/x')
    await arrival
    platform.close()
    await expect(asked).rejects.toMatchObject({ message: expect.stringContaining('given up') })
    await expect(client.get('/x')).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' })
    await expect(client.raw('/x')).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' })
  })

  it('gives a raw answer with its body unread', async () => {
    await platform.serve((request, answer) => {
      answer.writeHead(206, {
        'content-type': 'text/event-stream',
        'x-seen': `${request.method} ${request.headers.accept}`,
      })
      answer.write('data: 1\n\n')
    })
    const controller = new AbortController()
    const client = platform.client()
    const answer = await client.raw('/stream', { headers: { accept: 'text/event-stream' }, signal: controller.signal })
    expect([answer.status, answer.headers.get('x-seen')]).toEqual([206, 'GET text/event-stream'])
    const reader = answer.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n')
    controller.abort()
    await expect(reader?.read()).rejects.toThrow()
    await expect(client.raw('/stream', { signal: controller.signal })).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
    })
  })
})
