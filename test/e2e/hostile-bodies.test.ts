import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Booted, boot } from './boot.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway']

/** A body that each kind of route would take, to hide the poison in. */
const GOOD = {
  username: 'mallory',
  email: 'mallory@example.com',
  user_id: 1,
  product_name: 'Laptop',
  quantity: 1,
  service_name: 'mallory',
  host: '127.0.0.1',
  port: 1,
  level: 'INFO',
  service: 'mallory',
  message: 'm',
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  span_id: 'b7ad6b7169203331',
  operation: 'o',
  start: '2026-01-01T00:00:00Z',
  duration_ms: 1,
  topic: 'mallory.was.here',
  payload: 1,
  acks: ['x'],
  version: 1,
}
const good = JSON.stringify(GOOD)
const members = good.slice(1)
const everyMember = (value: string) => `{${Object.keys(GOOD).map((name) => `"${name}":${value}`)}}`
const arrays = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
const objects = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
const base64 = (text: string) => Buffer.from(text).toString('base64')
const event = (data: string) =>
  `{"specversion":"1.0","id":"1","source":"s","type":"a.b","data_base64":"${base64(data)}"}`

const BODIES: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
  nothing: '',
  blanks: ' \n ',
  'half a document': '{',
  null: 'null',
  'a number': '1',
  'a number nobody can hold': '1e999',
  'a list': '[]',
  'a list of null': '[null]',
  __proto__: `{"__proto__":{"role":"admin","quantity":1},${members}`,
  'nothing but __proto__': '{"__proto__":{"role":"admin"}}',
  constructor: `{"constructor":{"prototype":{"role":"admin"}},${members}`,
  'privileged fields': `{"role":"admin","id":1,"is_admin":true,"owner":"root","status":"paid","total_price":0,${members}`,
  '100 000 nested arrays': arrays,
  '100 000 nested objects': objects,
  '5 000 nested arrays in each member': everyMember(arrays.slice(95_000, 105_000)),
  '100 000 nested arrays on a line': `${good}\n${arrays}`,
  '100 000 nested arrays in base64': event(arrays),
  'invalid UTF-8': Buffer.from(`{"username":"\xff\xfe\xc0\xaf",${members}`, 'latin1'),
  'a surrogate in UTF-8': Buffer.from(`{"topic":"\xed\xa0\x80",${members}`, 'latin1'),
  'half a surrogate pair in each member': everyMember('"\\ud800"'),
  'half a surrogate pair as a name': `{"\\udfff":1,${members}`,
  'half a surrogate pair in base64': event('"\\ud800"'),
  duplicates: `${good.slice(0, -1)},${members}`,
  'NUL in each member': everyMember('"\\u0000"'),
  'control characters in each member': everyMember('"\\r\\n\\u001b[31m"'),
  'an object in each member': everyMember('{}'),
  'a list in each member': everyMember('[]'),
  'null in each member': everyMember('null'),
  'a fraction in each member': everyMember('-1.5'),
  'a number beyond 2^53 in each member': everyMember('9007199254740993'),
  'a long text in each member': everyMember(`"${'A'.repeat(20_000)}"`),
  '10 000 names': `{${Array.from({ length: 10_000 }, (_, n) => `"k${n}":1`)}}`,
  'more than a route takes': `"${'x'.repeat(1_100_000)}"`,
}

const TYPES = ['application/json', 'application/x-ndjson', 'application/cloudevents+json']

interface Operation {
  readonly role: string
  readonly method: string
  readonly path: string
}

let platform: Booted
beforeAll(async () => {
  platform = await boot(ROLES)
})
afterAll(() => platform[Symbol.asyncDispose]())

/** Everything that takes a body: what the roles say of themselves, and what the gateway passes on. */
async function operations(): Promise<readonly Operation[]> {
  const found: Operation[] = []
  for (const role of ROLES) {
    const { paths } = (await (await platform.fetch(role, '/openapi.json')).json()) as { paths: Record<string, object> }
    for (const [template, methods] of Object.entries(paths)) {
      const path = template
        .replace('{topic}', 'a.b')
        .replace('{key}', 'k')
        .replace(/\{\w+\}/g, '1')
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        if (method.toLowerCase() in methods) found.push({ role, method, path })
      }
    }
  }
  const passedOn = found.filter(({ role }) => role === 'user' || role === 'order')
  return [...found, ...passedOn.map(({ method, path }) => ({ role: 'gateway', method, path: `/gateway${path}` }))]
}

describe('a hostile body', () => {
  it.each(Object.entries(BODIES))('is refused or ignored by every role: %s', async (_, body) => {
    const authorization = `Bearer ${await platform.token('mallory', 'users:write', 'orders:write')}`
    const all = await operations()
    expect(all.length).toBeGreaterThan(25)
    const answers: string[] = []
    for (const { role, method, path } of all) {
      for (const type of role === 'broker' ? TYPES : TYPES.slice(0, 1)) {
        const headers = { 'content-type': type, ...(role === 'gateway' && { authorization }) }
        const answer = await platform.fetch(role, path, { method, headers, body })
        await answer.text()
        if (answer.status >= 500) answers.push(`${role} ${method} ${path} ${type}: ${answer.status}`)
      }
    }
    expect(answers).toEqual([])
  })

  it('leaves no privileged field behind, no prototype changed, and nobody dead', async () => {
    const body = JSON.stringify({ username: 'eve', email: 'eve@example.com', role: 'admin', id: 77, created_at: 'x' })
    const headers = { 'content-type': 'application/json' }
    const made = await platform.fetch('user', '/api/users', { method: 'POST', headers, body })
    const user = (await made.json()) as Record<string, unknown>
    expect(Object.keys(user)).toEqual(['id', 'username', 'email', 'created_at'])
    expect(user.id).not.toBe(77)
    expect(user.created_at).not.toBe('x')
    expect('role' in {}).toBe(false)
    for (const role of ROLES) expect((await platform.fetch(role, '/readyz')).status).toBe(200)
    expect(platform.entries.filter(({ level }) => level === 'ERROR' || level === 'CRITICAL')).toEqual([])
  })
})
