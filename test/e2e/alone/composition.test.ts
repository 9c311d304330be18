import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { readComposition } from '../../../src/cli/deploy/testing/compose-rules.ts'
import { isHere } from '../../servers/programs.ts'
import { start } from '../command-line.ts'
import { startComposed } from '../composition/composed.ts'
import { machineClient } from '../composition/machine-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-composition-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Two of each role: of user and order the seed has two (9.7.10). */
const PAIRS = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment']
const SCALE = [...PAIRS, 'gateway'].map((name) => `${name}=2`).join()
const isPossible = process.getuid?.() === 0 && process.platform === 'linux'
const until = { timeout: 60_000, interval: 200 }

describe.skipIf(!isPossible || !isHere('postgres', 'redis-server', 'nats-server', 'ip', 'wget'))(
  'compose.yaml, played in network namespaces (as root alone)',
  () => {
    it('is well in its order, takes orders, and goes on when one of each pair is killed', {
      timeout: 600_000,
    }, async () => {
      expect(await start(folder, 'deploy', 'compose', '--scale', SCALE).ended).toMatchObject({ code: 0 })
      const home = join(folder, 'deploy/compose')
      const composition = readComposition(readFileSync(join(home, 'compose.yaml'), 'utf8'))
      await using composed = await startComposed({
        composition,
        home,
        folder: join(folder, 'played'),
        program: inject('program'),
      })
      const place = (name: string) => composed.well.indexOf(name)
      for (const [name, { depends_on: needs }] of Object.entries(composition.services))
        for (const need of Object.keys(needs)) expect(place(need), `${need} before ${name}`).toBeLessThan(place(name))

      using client = machineClient(composed)
      const [gateway] = composed.containers('gateway')
      if (!gateway) throw new Error('a gateway is wanted')
      const scopes = 'users:write,orders:read,orders:write'
      const token = await gateway.exec(['msvc', 'token', '--subject', 'ann', '--scope', scopes])
      const ask = async (path: string, body?: object) => {
        const headers = {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': crypto.randomUUID(),
        }
        const url = `http://${composed.address(gateway, 'edge')}:8000/gateway/api${path}`
        const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers }
        return client.ask(url, init)
      }
      const made = await ask('/users', { username: 'ann', email: 'ann@example.com' })
      expect(made).toMatchObject({ status: 201 })
      const { id: user } = JSON.parse(made.body)
      const buy = async () => {
        const order = await ask('/orders', { user_id: user, product_name: 'Laptop', quantity: 1 })
        expect(order).toMatchObject({ status: 201 })
        const { id } = JSON.parse(order.body)
        await expect.poll(async () => (await ask(`/orders/${id}`)).body, until).toContain('"status":"paid"')
      }
      await buy()
      // a command in a container knows the registry alone
      const asked = ['/usr/bin/env', 'LOG_SERVER_URL=http://log-server:4318']
      const found = () => gateway.exec([...asked, 'msvc', 'logs', 'order-service', '--json', '--limit', '1'])
      await expect.poll(found, until).toContain('order-service')

      for (const name of PAIRS) {
        const [one, other] = composed.containers(name)
        expect(other).toBeDefined()
        await Promise.all([buy(), one?.kill()])
        await buy()
        await buy()
      }
      expect(await gateway.stop()).toBe(0)
    })
  },
)
