import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Booted, boot } from './boot.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']
const ROLES = ['registry', 'config-server', 'log-server', 'broker']
const route = (access: string | readonly string[], name: string, upstream: string) => ({
  [`${name}-${upstream}`]: {
    prefix: `/${name}/${upstream}`,
    upstream,
    strip_prefix: `/${name}/${upstream}`,
    methods: Object.fromEntries(METHODS.map((method) => [method, access])),
  },
})

/** What routes of these roles want, and an input that it would take. */
type Asked = readonly [role: string, target: string, scope: string, body?: object]
const ASKED: readonly Asked[] = [
  ['registry', 'GET /registry/services', 'registry:read'],
  ['registry', 'GET /registry/watch', 'registry:read'],
  [
    'registry',
    'POST /registry/register',
    'registry:write',
    { service_name: 'order-service', host: '127.0.0.1', port: 9 },
  ],
  ['registry', 'POST /registry/deregister', 'registry:write', { service_name: 'broker', host: '127.0.0.1', port: 9 }],
  ['config-server', 'GET /config', 'config:read'],
  ['config-server', 'GET /config/watch', 'config:read'],
  ['config-server', 'GET /config/order-service/development', 'config:read'],
  ['config-server', 'PUT /config/order-service/development/prices', 'config:write', { Laptop: 0.01 }],
  ['config-server', 'DELETE /config/order-service/development/prices', 'config:write'],
  ['log-server', 'GET /logs', 'logs:read'],
  ['log-server', 'GET /logs/tail', 'logs:read'],
  ['log-server', 'GET /traces', 'logs:read'],
  ['log-server', 'POST /logs', 'logs:write', { level: 'INFO', service: 'payment-service', message: 'paid in full' }],
  ['broker', 'GET /broker/topics', 'messages:read'],
  ['broker', 'GET /broker/stream/>', 'messages:read'],
  ['broker', 'GET /broker/subscriptions', 'messages:read'],
  ['broker', 'GET /broker/dead-letters', 'messages:read'],
  ['broker', 'GET /broker/delayed', 'messages:read'],
  ['broker', 'POST /broker/publish/anything', 'messages:publish', {}],
  ['broker', 'POST /broker/publish/payment.processed', 'messages:publish', { order_id: 1, status: 'success' }],
  ['broker', 'POST /broker/subscriptions', 'messages:consume', { topic: 'order.created', group: 'payment-service' }],
  ['broker', 'POST /broker/dead-letters/redrive', 'messages:admin', {}],
  ['broker', 'DELETE /broker/delayed/1', 'messages:admin'],
  ...ROLES.flatMap((role) => [
    [role, 'GET /metrics', 'metrics:read'] as const,
    [role, 'GET /openapi.json', 'docs:read'] as const,
  ]),
]

/** What the scope alone does not open: a topic, a group and an instance are a service's. */
const OTHERS = ['registry/register', 'payment.processed', 'POST /broker/subscriptions']

describe.each(['local', 'token'] as const)('what the gateway passes on, in %s mode', (mode) => {
  let platform: Booted
  beforeAll(async () => {
    const routes = ROLES.flatMap((role) => [route('public', 'open', role), route('token', 'any', role)])
    // scopes of which one is a way to others, were they lent
    const named = route(['messages:admin', 'config:read', 'logs:write', 'registry:admin'], 'ops', 'broker')
    platform = await boot([...ROLES, 'gateway'], {
      platform: { auth: { mode, hosts: mode === 'token' ? ['127.0.0.1'] : [] } },
      sections: { gateway: { routes: Object.assign({ users: null, orders: null }, ...routes, named) } },
    })
  })
  afterAll(() => platform[Symbol.asyncDispose]())

  async function status(way: string, role: string, target: string, body?: object, token?: string): Promise<number> {
    const [method = '', path = ''] = target.split(' ')
    const left = new AbortController()
    const answer = await platform.fetch('gateway', `/${way}/${role}${path}`, {
      method,
      signal: left.signal,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    left.abort()
    return answer.status
  }

  it.each(ASKED.map((asked) => ({ asked, what: asked.slice(0, 3).join(' ') })))(
    '$what: is for who may himself',
    async ({ asked: [role, target, scope, body] }) => {
      const ask = async (way: string, scopes?: readonly string[]) =>
        status(way, role, target, body, scopes && (await platform.token('ann', ...scopes)))
      const isOthers = OTHERS.some((part) => target.includes(part))
      expect([await ask('open'), await ask('any')]).toEqual([401, 401])
      for (const way of ['open', 'any']) {
        expect(await ask(way, []), way).toBe(403)
        expect(await ask(way, ['users:read', 'admin', 'messages:read2']), way).toBe(403)
        expect(isOthers ? [403] : [200, 201, 202, 204, 404], way).toContain(await ask(way, [scope]))
      }
    },
  )

  it('leaves the health paths open, and the role’s own port as it is', async () => {
    for (const role of ROLES) expect(await status('open', role, 'GET /health')).toBe(200)
    const { status: own } = await platform.fetch('broker', '/broker/topics')
    expect(own).toBe(mode === 'local' ? 200 : 401)
  })
})
