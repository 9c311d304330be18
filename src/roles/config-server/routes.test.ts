import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Asker, LOCAL } from '../../kit/auth/asker.ts'
import { listenBehindChain } from '../../kit/middleware/testing/chained-listener.ts'
import { runInScope } from '../../kit/telemetry/scope.ts'
import { ConfigList } from './contract.ts'
import { closeAll, closing, DEV, run, SCOPE, verify } from './testing/running-routes.ts'

afterEach(closeAll)

describe('config routes', () => {
  it('keeps values of any shape, one by one or as a document', async () => {
    const { json, put, get } = await run()
    expect(await json(DEV)).toEqual({})
    const first = await put(`${DEV}/max_connections`, 100)
    expect(first.status).toBe(200)
    expect(await first.json()).toEqual({ service: 'user-service', environment: 'development', version: 1 })
    await put(`${DEV}/hosts`, { value: ['a', { b: null }] })
    expect(await json(DEV)).toEqual({ hosts: ['a', { b: null }], max_connections: 100 })
    expect(await (await put(DEV, { enable_logging: true })).json()).toMatchObject({ version: 3 })
    expect(await json(DEV)).toEqual({ enable_logging: true })
    expect(await json(`${DEV}/enable_logging`)).toEqual({
      value: true,
      secret: false,
      from: 'user-service/development',
    })
    expect((await get(`${DEV}/nothing`)).status).toBe(404)
    expect(await json(`${DEV}/enable_loging`)).toMatchObject({
      detail: 'user-service/development has no enable_loging; did you mean enable_logging?',
    })
    expect(await json('/config')).toEqual({
      configs: [
        { service: 'user-service', environment: 'development', version: 3, changed_at: '2023-11-14T22:13:20.000Z' },
      ],
    })
  })

  it.each(['9007199254740993', '123456789012345678901234567890', '1e400', '{"2":[-0,1.0],"1":"a b"}'])(
    'keeps %s to the letter, one by one, in a document, as a secret and after a rollback',
    async (text) => {
      const { app, get, post } = await run()
      const put = (path: string, body: string) => app.request(path, { method: 'PUT', body })
      const textOf = async (path: string, headers = {}) => (await get(path, headers)).text()
      expect((await put(`${DEV}/one`, text)).status).toBe(200)
      expect(await textOf(`${DEV}/one`)).toBe(`{"value":${text},"secret":false,"from":"user-service/development"}`)
      await put(DEV, `{ "a": ${text}, "b": { "value": ${text}, "secret": true } }`)
      const owner = { authorization: 'Bearer user-service|!' }
      expect(await textOf(DEV)).toBe(`{"a":${text}}`)
      expect(await textOf(DEV, owner)).toBe(`{"a":${text},"b":${text}}`)
      expect(await textOf(`${DEV}?describe=true`, owner)).toContain(`"b":{"value":${text},"secret":true,`)
      expect(await (await put(`${DEV}/a`, ` ${text} `)).json()).toMatchObject({ version: 2 })
      await put(`${DEV}/a`, '1')
      await post(`${DEV}/rollback`, { version: 2 })
      expect(await textOf(DEV)).toBe(`{"a":${text}}`)
    },
  )

  it('keeps no more configurations than it may; those there are go on', async () => {
    const { put } = await run({ maxConfigs: 2 })
    for (const service of ['a', 'b']) expect((await put(`/config/${service}/e/k`, 1)).status).toBe(200)
    for (const path of ['/config/c/e/k', '/config/a/other/k', '/config/c/e']) {
      const refused = await put(path, { k: 1 })
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3600'])
    }
    expect((await put('/config/a/e/k', 2)).status).toBe(200)
  })

  it('keeps no more of one caller than his share, and leaves the rest to others', async () => {
    const { put } = await run({ maxConfigs: 4, maxPerCaller: 2 })
    const ann = await verify('ann|config:write')
    const putAs = (asker: Asker, service: string) =>
      runInScope({ ...SCOPE, asker }, () => put(`/config/${service}/e/k`, Math.random()))
    expect((await putAs(ann, 'a')).status).toBe(200)
    expect((await putAs(ann, 'b')).status).toBe(200)
    const refused = await putAs(ann, 'c')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3600'])
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('config-server.caller_share') })
    expect((await putAs(ann, 'a')).status).toBe(200)
    expect((await putAs(await verify('ann|config:write!'), 'c')).status).toBe(200)
    expect((await putAs(ann, 'c')).status).toBe(200)
    expect((await putAs(LOCAL, 'd')).status).toBe(200)
    expect((await putAs(LOCAL, 'e')).status).toBe(429)
  })

  it('keeps at most 1 000 keys in one, however they come, and lets them become fewer', async () => {
    const { put, delete: remove, json } = await run()
    const secret = { value: 1, secret: true }
    expect((await put('/config/a/e', { 'secret.1': secret, 'secret.2': secret })).status).toBe(200)
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]))
    expect(await (await put('/config/a/e', many(999))).json()).toMatchObject({ code: 'INVALID_REQUEST' })
    expect((await put('/config/a/e', many(998))).status).toBe(200)
    const one = await put('/config/a/e/more', 1)
    expect([one.status, await one.json()]).toMatchObject([400, { detail: 'A configuration has at most 1000 keys' }])
    expect((await put('/config/a/e/k1', 'another')).status).toBe(200)
    expect((await remove('/config/a/e/k1')).status).toBe(200)
    expect((await put('/config/a/e/more', 1)).status).toBe(200)
    expect(await json('/config/a/e/more')).toMatchObject({ value: 1 })
  })

  it('keeps a megabyte of each, in bytes', async () => {
    const { put } = await run()
    const text = '\u20ac'.repeat(200_000)
    expect((await put('/config/a/e/one', text)).status).toBe(200)
    expect((await put('/config/a/e/two', text)).status).toBe(413)
    expect((await put('/config/a/e/two', text.slice(0, 100_000))).status).toBe(200)
  })

  it('lists page by page, to a service what is its own alone', async () => {
    const { put, get } = await run()
    for (const path of ['b/y', 'a/z', 'b/x', '_default/x', 'shop/e'])
      expect((await put(`/config/${path}/k`, 1)).status).toBe(200)
    async function pages(asker: Asker) {
      const seen: string[][] = []
      for (let path = '/config?limit=2'; path !== ''; ) {
        const answer = await runInScope({ ...SCOPE, asker }, () => get(path))
        const { configs } = ConfigList.parse(await answer.json())
        seen.push(configs.map(({ service, environment }) => `${service}/${environment}`))
        path = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
      }
      return seen
    }
    expect(await pages(LOCAL)).toEqual([['_default/x', 'a/z'], ['b/x', 'b/y'], ['shop/e']])
    expect(await pages(await verify('shop|config:read!'))).toEqual([['_default/x', 'shop/e']])
    for (const query of ['limit=0', 'limit=1001', 'after=a', 'after=a/b/c', 'after=../x'])
      expect((await get(`/config?${query}`)).status).toBe(400)
  })

  it('makes no version of what changes nothing', async () => {
    const { put } = await run()
    await put(DEV, { a: 1, s: { value: 'x', secret: true } })
    expect(await (await put(DEV, { a: 1, s: 'x' })).json()).toMatchObject({ version: 1 })
    expect(await (await put(`${DEV}/a`, 2)).json()).toMatchObject({ version: 2 })
  })

  it('merges in what holds for every service and environment, the nearest winning', async () => {
    const { json, put } = await run()
    await put('/config/_default/_default', { a: 1, b: 1, c: 1, d: 1 })
    await put('/config/_default/development', { b: 2, c: 2, d: 2 })
    await put('/config/user-service/_default', { c: 3, d: 3 })
    await put(DEV, { d: 4 })
    expect(await json(DEV)).toEqual({ a: 1, b: 2, c: 3, d: 4 })
    expect(await json('/config/order-service/development')).toEqual({ a: 1, b: 2, c: 2, d: 2 })
    expect(await json('/config/order-service/production')).toEqual({ a: 1, b: 1, c: 1, d: 1 })
    expect(await json(`${DEV}?describe=true`)).toMatchObject({
      version: 1,
      values: { a: { value: 1, secret: false, from: '_default/_default' }, d: { from: 'user-service/development' } },
    })
  })

  it('answers 304 for the known validator, and another one after a change', async () => {
    const { get, put } = await run()
    await put(DEV, { a: 1 })
    const etag = (await get(DEV)).headers.get('etag') ?? ''
    expect((await get(DEV, { 'if-none-match': etag })).status).toBe(304)
    await put('/config/_default/_default', { b: 1 })
    const changed = await get(DEV, { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).not.toBe(etag)
  })

  it('changes only what If-Match says it has seen', async () => {
    const { get, put, json, ...run_ } = await run()
    await put(DEV, { a: 1, s: { value: 1, secret: true } })
    const etag = (await get(DEV)).headers.get('etag') ?? ''
    expect((await put(DEV, { a: 2 }, { 'if-match': etag })).status).toBe(200)
    expect((await put(DEV, { a: 3 }, { 'if-match': etag })).status).toBe(412)
    expect((await run_.delete(`${DEV}/a`, { 'if-match': etag })).status).toBe(412)
    expect((await put(`${DEV}/a`, 4, { 'if-match': '*' })).status).toBe(200)
    expect(await json(DEV)).toEqual({ a: 4 })
  })

  it('removes keys, keeps history, and rolls back', async () => {
    const { json, put, post, ...run_ } = await run({ keepVersions: 4 })
    await put(DEV, { a: 1, b: 1 })
    await put(`${DEV}/a`, 2)
    expect(await (await run_.delete(`${DEV}/b`)).json()).toMatchObject({ version: 3 })
    expect((await run_.delete(`${DEV}/b`)).status).toBe(404)
    expect(await (await post(`${DEV}/rollback`, { version: 1 })).json()).toMatchObject({ version: 4 })
    expect(await json(DEV)).toEqual({ a: 1, b: 1 })
    const changed = { changed_at: '2023-11-14T22:13:20.000Z', changed_by: 'local' }
    expect(await json(`${DEV}/history`)).toEqual({
      versions: [
        { version: 4, action: 'rollback', keys: ['a', 'b'], ...changed },
        { version: 3, action: 'delete', keys: ['b'], ...changed },
        { version: 2, action: 'put', keys: ['a'], ...changed },
        { version: 1, action: 'put', keys: ['a', 'b'], ...changed },
      ],
    })
    expect(await json(`${DEV}/history?limit=1`)).toMatchObject({ versions: [{ version: 4 }] })
    await put(`${DEV}/a`, 5)
    expect((await post(`${DEV}/rollback`, { version: 1 })).status).toBe(404)
    expect((await post(`${DEV}/rollback`, { version: 2 })).status).toBe(200)
    expect((await post(`${DEV}/rollback`, { version: 0 })).status).toBe(400)
  })

  it.each([
    '/config/..%2f..%2fetc/development',
    '/config/user-service/..%2fproduction',
    '/config/%252e%252e/development',
    '/config/a..b/development',
    '/config/user-service/-x',
    '/config/__proto__/development',
    '/config/a%00/development',
    '/config/a%0d%0ab/development',
    `/config/${'a'.repeat(101)}/development`,
    '/config/user-service/development/..%2fx',
    '/config/user-service/development/__proto__',
    '/config/watch?service=..',
    '/config/watch?servce=shop',
    '/config?limt=1',
  ])('refuses %s', async (path) => {
    const { get } = await run()
    expect((await get(path)).status).toBe(400)
  })

  it('refuses keys and bodies that are none', async () => {
    const { put, app } = await run()
    expect((await put(`${DEV}/history`, 1)).status).toBe(400)
    expect((await put(DEV, [1])).status).toBe(400)
    const raw = (body: string) => app.request(DEV, { method: 'PUT', body })
    expect((await raw('{"__proto__":{"a":1}}')).status).toBe(400)
    expect((await raw('[')).status).toBe(400)
    expect((await raw('['.repeat(100_000))).status).toBe(400)
  })

  it.each([
    '/config/../development',
    '/config/%2e%2e/development',
    '/config/user-service/%2E.',
    '/config/./x',
    '/config/..\\x/y',
  ])('refuses %s as it comes over the wire', async (path) => {
    const { app } = await run()
    const listener = await listenBehindChain({ app })
    closing.push(() => listener.drain(0))
    const socket = connect({ host: '127.0.0.1', port: listener.port })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    expect(text).toMatch(/^HTTP\/1.1 400 /)
  })
})
