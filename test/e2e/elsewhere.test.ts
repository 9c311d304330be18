import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Booted, boot } from './boot.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway', 'outbound']
const PROBES = ['/health', '/livez', '/readyz', '/metrics', '/openapi.json', '/nowhere', '/']
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What a browser sends along for a page that isn't the role's own: by its Origin, and by what it says itself where it sends none. */
const BY_ORIGIN: readonly Readonly<Record<string, string>>[] = [
  { origin: 'https://evil.example' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' },
  { origin: 'null', 'sec-fetch-site': 'cross-site' },
]
const BY_SITE: readonly Readonly<Record<string, string>>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
]

let platform: Booted
beforeAll(async () => {
  platform = await boot(ROLES)
})
afterAll(() => platform[Symbol.asyncDispose]())

/** All that a role says it answers, and some that it doesn't. */
async function requestsOf(role: string): Promise<readonly (readonly [method: string, path: string])[]> {
  const { paths } = (await (await platform.fetch(role, '/openapi.json')).json()) as { paths: Record<string, object> }
  const known = Object.entries(paths).flatMap(([template, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), template.replaceAll(/\{[^}]*\}/g, 'x')] as const),
  )
  const probed = PROBES.flatMap((path) => METHODS.map((method) => [method, path] as const))
  const passedOn = role === 'gateway' ? METHODS.map((method) => [method, '/gateway/api/users'] as const) : []
  return [
    ...known,
    ...known.filter(([method]) => method === 'GET').map(([, path]) => ['HEAD', path] as const),
    ...probed,
    ...passedOn,
  ]
}

/** The `code` that a role answers with; its status where there is none. */
async function ask(role: string, method: string, path: string, headers: Readonly<Record<string, string>>) {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const sent = request(new URL(path, platform.url(role)), { method, headers }, (answer) => {
    if (answer.headers['content-type'] !== 'application/problem+json') {
      answer.destroy()
      resolve(String(answer.statusCode))
    } else if (method === 'HEAD') resolve(answer.statusCode === 403 ? 'ORIGIN_REFUSED' : String(answer.statusCode))
    else text(answer).then((body) => resolve(JSON.parse(body).code), reject)
  })
  sent.on('error', reject).end()
  return promise
}

describe('a page of elsewhere', () => {
  it.each(ROLES)('reaches nothing of %s', async (role) => {
    const wrong: string[] = []
    for (const [method, path] of await requestsOf(role)) {
      for (const headers of role === 'gateway' ? BY_ORIGIN : [...BY_ORIGIN, ...BY_SITE]) {
        const code = await ask(role, method, path, headers)
        if (code !== 'ORIGIN_REFUSED') wrong.push(`${method} ${path} ${JSON.stringify(headers)}: ${code}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('may link to the gateway, and to no other role', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect(await ask('gateway', 'GET', '/gateway/api/users', link)).toBe('200')
    expect(await ask('user', 'GET', '/api/users', link)).toBe('ORIGIN_REFUSED')
  })

  it('is somebody else than the role’s own page', async () => {
    for (const role of ROLES) {
      const own = { origin: new URL(platform.url(role)).origin, 'sec-fetch-site': 'same-origin' }
      expect(await ask(role, 'GET', '/livez', own)).toBe('200')
    }
  })
})
