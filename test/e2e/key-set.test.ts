import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { freePort } from '../servers/server.ts'

const PROGRAM = inject('program')
const folder = mkdtempSync(join(tmpdir(), 'msvc-key-set-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Variables = Readonly<Record<string, string>>
const KEY: Variables = { MSVC_KEY_FILE: join(folder, 'signing.json') }
const variables = (more: Variables) => ({
  ...{ PATH: process.env.PATH ?? '', NO_COLOR: '1', MSVC_AUTH_MODE: 'token', MSVC_LOG_FORMAT: 'json' },
  ...more,
})

async function msvc(args: readonly string[], env: Variables = KEY): Promise<string> {
  const options = { cwd: folder, env: variables(env), timeout: 50_000 }
  return (await promisify(execFile)(process.execPath, [PROGRAM, ...args], options)).stdout.trim()
}

async function serve(role: string, port: number, more: Variables) {
  const env = variables({ ...more, MSVC_DATA: join(folder, role), PORT: String(port) })
  const child = spawn(process.execPath, [PROGRAM, 'serve', role, '--json'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  const ended = once(child, 'close')
  const first = await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => undefined)])
  if (!first) throw new Error(said)
  const { url }: { url: string } = JSON.parse(String(first[0]))
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Puts a token where Kubernetes would: behind a link that is swapped. */
async function giveToken(version: string): Promise<string> {
  const token = await msvc(['token', '--service', 'user-service'])
  writeFileSync(join(folder, version), `${token}\n`)
  symlinkSync(version, join(folder, '..token'))
  renameSync(join(folder, '..token'), join(folder, 'own.token'))
  return token
}

beforeAll(() => msvc(['keys', 'new', '--out', 'signing.json', '--quiet']))

it('has a role that signs nothing check tokens by the keys of the gateway, once that is there', {
  timeout: 180_000,
}, async () => {
  await giveToken('first')
  const port = await freePort()
  await using registry = await serve('registry', 0, KEY)
  const REGISTRY_URL = registry.url
  const jwks = `http://127.0.0.1:${port}/.well-known/jwks.json`
  const own = { REGISTRY_URL, MSVC_AUTH_JWKS: jwks, MSVC_TOKEN_FILE: join(folder, 'own.token') }
  await using user = await serve('user', 0, own)
  const health = async () => {
    const answer = await fetch(`${user.url}/readyz`)
    return { status: answer.status, text: await answer.text() }
  }
  expect(await health()).toMatchObject({ status: 503, text: expect.stringContaining('keys') })
  const scopes = ['token', '--audience', 'user-service', '--scope', 'users:read']
  const users = async (token: string) =>
    (await fetch(`${user.url}/api/users/1`, { headers: { authorization: `Bearer ${token}` } })).status
  const ann = await msvc([...scopes, '--subject', 'ann'])
  expect(await users(ann)).toBe(503)

  await using _gateway = await serve('gateway', port, { ...KEY, REGISTRY_URL })
  await expect.poll(health, { timeout: 20_000, interval: 200 }).toMatchObject({ status: 200 })
  expect(await users(ann)).toBe(200)
  await msvc(['keys', 'new', '--out', 'other.json', '--quiet'])
  const stranger = await msvc([...scopes, '--subject', 'eve'], { MSVC_KEY_FILE: join(folder, 'other.json') })
  expect(await users(stranger)).toBe(401)

  const read = await msvc(['token', '--subject', 'ops', '--audience', 'registry', '--scope', 'registry:read'])
  const known = async () => {
    const headers = { authorization: `Bearer ${read}` }
    return (await fetch(`${registry.url}/registry/services/user-service`, { headers })).json()
  }
  const itself = { instances: [{ port: Number(new URL(user.url).port) }] }
  await expect.poll(known, { timeout: 20_000 }).toMatchObject(itself)
  await giveToken('second')
  rmSync(join(folder, 'first'))
  const self = await msvc(['health', '--self', '--json'], { ...own, MSVC_DATA: join(folder, 'user') })
  expect(JSON.parse(self)).toMatchObject({ role: 'user', status: 'healthy' })
})

it('refuses a token of somebody else, and the key set where tokens are made', { timeout: 180_000 }, async () => {
  await giveToken('third')
  const env = { MSVC_AUTH_JWKS: 'http://127.0.0.1:1/keys', MSVC_AUTH_TOKEN_FILE: join(folder, 'own.token') }
  const refusal = (words: string) => ({ code: 2, stderr: expect.stringContaining(words) })
  const signs = refusal('makes tokens, which the keys there can')
  for (const role of ['gateway', 'broker'])
    await expect(msvc(['serve', role, '--port', '0'], env)).rejects.toMatchObject(signs)
  await expect(msvc(['up', '--only', 'registry'], env)).rejects.toMatchObject(signs)
  const foreign = { ...env, MSVC_AUTH_ISSUER: 'shop' }
  const other = refusal('is of "msvc", and not of auth.issuer, "shop"')
  await expect(msvc(['serve', 'user', '--port', '0'], foreign)).rejects.toMatchObject(other)
  const missing = { ...env, MSVC_AUTH_TOKEN_FILE: join(folder, 'none') }
  await expect(msvc(['serve', 'user', '--port', '0'], missing)).rejects.toMatchObject(refusal('no such file'))
})
