import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, inject, it } from 'vitest'
import { leastTime } from '../least-time.ts'
import { isHere } from '../servers/programs.ts'
import { startRedis } from '../servers/redis.ts'
import { say } from '../servers/redis-sets.ts'
import { freePort } from '../servers/server.ts'

const PROGRAM = inject('program')
/** Within which a change at one registry is known at the other, milliseconds. */
const SOON_MS = 1_000
const OFTEN = { interval: 10 }
/** Nobody's lease ends here, however long the test takes. */
const CONFIG = 'registry: { lease_seconds: 600 }\n'

/** A role in a process of its own, with a data folder of its own, as on a machine of its own. */
class RoleProcess implements AsyncDisposable {
  readonly url: string
  readonly #args: readonly string[]
  readonly #environment: Readonly<Record<string, string>>
  readonly #folder = mkdtempSync(join(tmpdir(), 'msvc-registries-'))
  #child: ChildProcess | undefined

  constructor(role: string, port: number, environment: Readonly<Record<string, string>>) {
    this.url = `http://127.0.0.1:${port}`
    this.#args = [PROGRAM, 'serve', role, '--port', String(port), '--json', '--data', join(this.#folder, 'data')]
    this.#environment = environment
    writeFileSync(join(this.#folder, 'msvc.yaml'), CONFIG)
  }

  async start(): Promise<void> {
    const { PATH = '' } = process.env
    const env = { PATH, NO_COLOR: '1', ...this.#environment }
    const child = spawn(process.execPath, this.#args, { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-4_000)
    })
    const line = new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve))
    const first = await Promise.race([line, once(child, 'close')])
    if (typeof first !== 'string') throw new Error(`it did not start: ${said}`)
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The ports of a service's healthy instances, as a registry tells them; undefined while it doesn't answer. */
async function known({ url }: RoleProcess, service: string): Promise<readonly number[] | undefined> {
  const answer = await fetch(`${url}/registry/services/${service}`, { signal: AbortSignal.timeout(10_000) }).catch(
    () => undefined,
  )
  if (!answer) return undefined
  const { instances = [] } = (await answer.json()) as { instances?: { port: number; health: string }[] }
  return instances.filter(({ health }) => health === 'healthy').map(({ port }) => port)
}

function post({ url }: RoleProcess, path: string, body: object): Promise<Response> {
  return fetch(`${url}/registry/${path}`, { method: 'POST', body: JSON.stringify(body) })
}

describe.skipIf(!isHere('redis-server'))('two registries over Redis', () => {
  it('are one to all others, though one of them is killed, or Redis is', { timeout: 180_000 }, async () => {
    await using redis = await startRedis()
    const [portA, portB, userPort] = [await freePort(), await freePort(), await freePort()]
    const environment = {
      REDIS_URL: redis.url,
      REGISTRY_URL: `http://127.0.0.1:${portA},http://127.0.0.1:${portB}`,
    }
    await using a = new RoleProcess('registry', portA, environment)
    await using b = new RoleProcess('registry', portB, environment)
    const { REGISTRY_URL } = environment
    await using user = new RoleProcess('user', userPort, { REGISTRY_URL, ADVERTISE: 'localhost' })
    await Promise.all([a.start(), b.start()])
    await user.start()
    for (const registry of [a, b]) {
      await expect.poll(() => known(registry, 'user-service')).toEqual([userPort])
      await expect.poll(async () => (await known(registry, 'registry'))?.length).toBe(2)
    }

    const found = await (await fetch(`${b.url}/registry/discover/user-service`)).json()
    expect(found).toMatchObject({ host: 'localhost', port: userPort })

    // a heartbeat at either counts for both, and who was replaced is refused at both
    const shop = { service_name: 'shop', host: '127.0.0.1', port: 15_001, id: 'shop-1' }
    const older = (await (await post(a, 'register', shop)).json()) as { id: string; fence: number }
    await expect.poll(() => known(b, 'shop'), OFTEN).toEqual([15_001])
    expect((await post(b, 'heartbeat', older)).status).toBe(200)
    const newer = (await (await post(b, 'register', { ...shop, port: 15_002 })).json()) as typeof older
    await expect.poll(() => known(a, 'shop'), OFTEN).toEqual([15_002])
    for (const registry of [a, b]) {
      expect((await post(registry, 'heartbeat', older)).status).toBe(409)
      expect((await post(registry, 'heartbeat', newer)).status).toBe(200)
    }

    const soon = async (n: number) => {
      await post(a, 'register', { service_name: `soon-${n}`, host: '127.0.0.1', port: 15_010 })
      const since = performance.now()
      await expect.poll(() => known(b, `soon-${n}`), OFTEN).toEqual([15_010])
      return performance.now() - since
    }
    expect(await leastTime(SOON_MS, soon, 5)).toBeLessThan(SOON_MS)

    // each answers while the other is dead, and catches up
    await a.kill()
    expect(await known(b, 'user-service')).toEqual([userPort])
    await post(b, 'register', { service_name: 'shop', host: '127.0.0.1', port: 15_003 })
    await post(b, 'deregister', newer)
    await a.start()
    await expect.poll(() => known(a, 'shop')).toEqual([15_003])
    expect(await known(a, 'user-service')).toEqual([userPort])
    await b.kill()
    expect(await known(a, 'user-service')).toEqual([userPort])
    await post(a, 'register', { service_name: 'shop', host: '127.0.0.1', port: 15_004 })
    await b.start()
    await expect.poll(async () => (await known(b, 'shop'))?.toSorted()).toEqual([15_003, 15_004])

    // each goes on by itself while Redis is dead
    await redis.kill()
    for (const registry of [a, b]) {
      expect(await known(registry, 'user-service')).toEqual([userPort])
      expect((await post(registry, 'heartbeat', { ...shop, id: undefined, port: 15_003 })).status).toBe(200)
      expect((await fetch(`${registry.url}/readyz`)).status).toBe(200)
      const health = async () => (await fetch(`${registry.url}/health`)).json()
      await expect.poll(health).toMatchObject({ status: 'degraded' })
    }
    expect((await post(a, 'register', { service_name: 'shop', host: '127.0.0.1', port: 15_005 })).status).toBe(201)
    await redis.start()
    await expect.poll(async () => (await known(b, 'shop'))?.includes(15_005)).toBe(true)
    await expect
      .poll(async () => (await (await fetch(`${b.url}/health`)).json()) as object)
      .toMatchObject({ status: 'healthy' })

    // and Redis may lose all that it had
    await say(redis.port, 'FLUSHALL')
    await using fresh = new RoleProcess('registry', await freePort(), environment)
    await fresh.start()
    await expect.poll(() => known(fresh, 'user-service'), OFTEN).toEqual([userPort])
    await expect.poll(async () => (await known(fresh, 'shop'))?.toSorted()).toEqual([15_003, 15_004, 15_005])
  })
})
