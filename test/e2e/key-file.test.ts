import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, expect, inject, it } from 'vitest'

const PROGRAM = inject('program')
const folder = mkdtempSync(join(tmpdir(), 'msvc-key-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a container is given, which has no file of settings and shares no folder. */
const variables = (more: Readonly<Record<string, string>> = {}) => ({
  ...{ PATH: process.env.PATH ?? '', NO_COLOR: '1', MSVC_AUTH_MODE: 'token', MSVC_LOG_FORMAT: 'json' },
  ...{ MSVC_KEY_FILE: join(folder, 'signing.json') },
  ...more,
})

async function msvc(args: readonly string[], env: NodeJS.ProcessEnv = variables()): Promise<string> {
  const options = { cwd: folder, env, timeout: 50_000 }
  return (await promisify(execFile)(process.execPath, [PROGRAM, ...args], options)).stdout.trim()
}

/** A role as in a container of its own. */
async function serve(role: string, more: Readonly<Record<string, string>>) {
  const env = variables({ ...more, MSVC_DATA: join(folder, role), PORT: '0' })
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

it('refuses to start by a key file that holds no key, rather than with nobody let in', async () => {
  const env = variables({ MSVC_KEY_FILE: join(folder, 'missing.json'), MSVC_DATA: join(folder, 'keyless'), PORT: '0' })
  const refusal = { code: 2, stderr: expect.stringContaining(`${join(folder, 'missing.json')} can't be read`) }
  const started = [
    ['serve', 'registry', '--port', '0'],
    ['up', '--only', 'registry', '--in-process'],
  ]
  for (const args of started) await expect(msvc(args, env)).rejects.toMatchObject(refusal)
})

it('refuses to start by keys of the data folder that are none', async () => {
  const keys = join(folder, 'broken/keys')
  mkdirSync(keys, { recursive: true, mode: 0o700 })
  writeFileSync(join(keys, 'signing.json'), '', { mode: 0o600 })
  const { MSVC_KEY_FILE: _, ...env } = variables({ MSVC_DATA: join(folder, 'broken'), PORT: '0' })
  await expect(msvc(['serve', 'user'], env)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: .*broken\/keys\/signing\.json/),
  })
})

it('makes one platform of roles that share no folder, told by variables alone', { timeout: 180_000 }, async () => {
  expect(await msvc(['keys', 'new', '--out', 'signing.json', '--quiet'])).toBe('')
  expect(statSync(join(folder, 'signing.json')).mode & 0o777).toBe(0o600)
  await expect(msvc(['keys', 'new', '--out', 'signing.json'])).rejects.toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('signing.json is there already, and is left as it is') },
  })

  await using registry = await serve('registry', {})
  // the key file is elsewhere: a backup says so, and doesn't say that it holds the key
  const backup = ['backup', join(folder, 'copy.tar.gz'), '--data', join(folder, 'registry')]
  const { stderr } = await promisify(execFile)(process.execPath, [PROGRAM, ...backup], {
    cwd: folder,
    env: variables(),
  })
  expect(stderr).toContain(`the keys in ${join(folder, 'signing.json')} are not in it; keep a copy of that file too`)
  expect(stderr).not.toContain('It holds the keys')

  await using user = await serve('user', { REGISTRY_URL: registry.url })
  const read = await msvc(['token', '--subject', 'ann', '--audience', 'registry', '--scope', 'registry:read'])
  const services = `${registry.url}/registry/services/user-service`
  const known = async (headers: Record<string, string>) => fetch(services, { headers })
  expect((await known({})).status).toBe(401)
  const answer = await known({ authorization: `Bearer ${read}` })
  expect(await answer.json()).toMatchObject({
    instances: [{ port: Number(new URL(user.url).port), health: 'healthy' }],
  })

  const self = (role: string) => msvc(['health', '--self', '--json'], variables({ MSVC_DATA: join(folder, role) }))
  expect(JSON.parse(await self('user'))).toMatchObject({ role: 'user', url: user.url, status: 'healthy' })
  await expect(self('nobody')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('error: nothing runs on '),
  })

  const foreign = JSON.parse(await msvc(['keys', 'new'])).kid
  expect(foreign).toHaveLength(43)
  await msvc(['keys', 'new', '--out', 'other.json'])
  const other = variables({ MSVC_KEY_FILE: join(folder, 'other.json') })
  const strange = await msvc(['token', '--subject', 'ann', '--audience', 'registry', '--scope', 'registry:read'], other)
  expect((await known({ authorization: `Bearer ${strange}` })).status).toBe(401)
})
