import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

let gateway: GatewayUnderTest
afterEach(() => gateway[Symbol.asyncDispose]())

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: ACCESS_TOKEN,
}

const Answer = z.looseObject({ access_token: z.string().default(''), error: z.string().optional() })

type Fields = Readonly<Record<string, string>> | readonly (readonly [string, string])[]

/** Posts a form to the token endpoint. */
async function post(fields: Fields, init: RequestInit = {}) {
  const pairs: [string, string][] = Array.isArray(fields) ? [...fields] : Object.entries(fields)
  const answer = await gateway.fetch('/oauth/token', { method: 'POST', body: new URLSearchParams(pairs), ...init })
  return { status: answer.status, headers: answer.headers, json: Answer.parse(await answer.json()) }
}

/** A service's token for the gateway and one more role. */
const serviceToken = (ttlSeconds = 600) =>
  gateway.authority.mint({
    subject: 'shop-service',
    audience: ['api-gateway', 'broker'],
    scopes: ['messages:publish', 'logs:write'],
    service: true,
    ttlSeconds,
  })

describe('POST /oauth/token', () => {
  it('gives a service a fresh token for the one it has', async () => {
    gateway = await startGateway()
    const { status, headers, json } = await post({ ...EXCHANGE, subject_token: await serviceToken() })
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { access_token, ...rest } = json
    expect(rest).toEqual({
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'messages:publish logs:write',
    })
    expect(await gateway.authority.verify(access_token, 'broker')).toMatchObject({
      subject: 'shop-service',
      is: 'service',
    })
    expect((await post({ ...EXCHANGE, subject_token: access_token })).status).toBe(200)
  })

  it('gives less where less is asked for, and never more', async () => {
    gateway = await startGateway()
    const subject_token = await serviceToken()
    const less = await post({ ...EXCHANGE, subject_token, scope: 'logs:write logs:write', audience: 'broker' })
    expect(less.json).toMatchObject({ scope: 'logs:write' })
    await expect(gateway.authority.verify(less.json.access_token, 'api-gateway')).rejects.toThrow()
    for (const [more, error] of [
      [{ scope: 'logs:write config:write' }, 'invalid_scope'],
      [{ scope: '*' }, 'invalid_scope'],
      [{ audience: 'registry' }, 'invalid_target'],
      [{ resource: 'http://127.0.0.1/' }, 'invalid_target'],
    ] as const) {
      expect(await post({ ...EXCHANGE, subject_token, ...more })).toMatchObject({ status: 400, json: { error } })
    }
  })

  it('renews no person’s token, nor one that is over, spoilt or for others', async () => {
    gateway = await startGateway()
    const { authority } = gateway
    const token = await serviceToken()
    const person = await authority.mint({ subject: 'shop-service', audience: 'api-gateway', scopes: [] })
    const elsewhere = await authority.mint({ subject: 'shop', audience: 'broker', scopes: [], service: true })
    const refusal = async (subject_token: string) => {
      const { status, headers, json } = await post({ ...EXCHANGE, subject_token })
      return [status, json.error, headers.get('content-type'), headers.get('www-authenticate')?.slice(0, 28)]
    }
    const type = 'application/problem+json'
    expect(await refusal(person)).toEqual([403, 'invalid_request', type, undefined])
    for (const bad of [elsewhere, `${token}==`, token.slice(0, -8), 'x', 'x'.repeat(9_000)]) {
      expect(await refusal(bad)).toEqual([401, 'invalid_request', type, 'Bearer error="invalid_token"'])
    }
  })

  it.each<[string, Fields | ((token: string) => Fields), number, string]>([
    ['no grant', { subject_token_type: ACCESS_TOKEN }, 400, 'invalid_request'],
    ['another grant', { ...EXCHANGE, grant_type: 'client_credentials' }, 400, 'unsupported_grant_type'],
    ['no token', EXCHANGE, 400, 'invalid_request'],
    ['an empty token', { ...EXCHANGE, subject_token: '' }, 400, 'invalid_request'],
    ['no type', (subject_token) => ({ ...EXCHANGE, subject_token, subject_token_type: '' }), 400, 'invalid_request'],
    [
      'a type twice',
      (token) => [...Object.entries(EXCHANGE), ['subject_token', token], ['scope', 'a'], ['scope', 'b']],
      400,
      'invalid_request',
    ],
    [
      'two tokens',
      (token) => [...Object.entries(EXCHANGE), ['subject_token', token], ['subject_token', 'x']],
      400,
      'invalid_request',
    ],
    [
      'an ID token',
      (subject_token) => ({
        ...EXCHANGE,
        subject_token,
        requested_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      }),
      400,
      'invalid_request',
    ],
    ['an actor', (subject_token) => ({ ...EXCHANGE, subject_token, actor_token: 'x' }), 400, 'invalid_request'],
  ])('refuses a form with %s', async (_, fields, status, error) => {
    gateway = await startGateway()
    const form = typeof fields === 'function' ? fields(await serviceToken()) : fields
    expect(await post(form)).toMatchObject({ status, json: { error, detail: expect.any(String) } })
  })

  it('takes a form by POST and nothing else', async () => {
    gateway = await startGateway()
    const body = JSON.stringify({ ...EXCHANGE, subject_token: await serviceToken() })
    const json = await post({}, { body, headers: { 'content-type': 'application/json' } })
    expect(json.status).toBe(415)
    const large = await post({ ...EXCHANGE, subject_token: 'x'.repeat(20_000) })
    expect(large.status).toBe(413)
    const inUrl = await post({}, { body: '', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    expect(inUrl.status).toBe(400)
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await gateway.fetch('/oauth/token', { method })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
    }
    expect((await gateway.fetch('/oauth/token/', { method: 'POST' })).status).toBe(404)
  })

  it('is told in /openapi.json, form and all', async () => {
    gateway = await startGateway()
    const document = await (await gateway.fetch('/openapi.json')).json()
    expect(document).toMatchObject({
      paths: {
        '/oauth/token': {
          post: {
            security: [],
            requestBody: { content: { 'application/x-www-form-urlencoded': { schema: expect.anything() } } },
            responses: { 200: { content: { 'application/json': { schema: expect.anything() } } } },
          },
        },
      },
    })
  })

  it('limits an address before it looks at a token', async () => {
    gateway = await startGateway({ write_limit: { per_second: 0.001, burst: 1 } })
    const tries = [await post({ ...EXCHANGE, subject_token: 'bad' }), await post({ ...EXCHANGE, subject_token: 'bad' })]
    expect(tries.map(({ status }) => status)).toEqual([401, 429])
  })

  it('limits a service as it limits its writes', async () => {
    gateway = await startGateway({ write_limit: { per_second: 0.001, burst: 1 } })
    const subject_token = await serviceToken()
    expect((await post({ ...EXCHANGE, subject_token })).status).toBe(200)
    const late = await post({ ...EXCHANGE, subject_token })
    expect([late.status, Number(late.headers.get('retry-after')) > 0]).toEqual([429, true])
    expect(await gateway.metrics()).toMatch(/gateway_rate_limited_total\{.*route="\/oauth\/token".*\} 1/)
  })
})
