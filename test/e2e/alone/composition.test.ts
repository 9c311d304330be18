import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { type Composition, readComposition } from '../../../src/cli/deploy/testing/compose-rules.ts'
import { isHere } from '../../servers/programs.ts'
import { start } from '../command-line.ts'
import { type Composed, startComposed } from '../composition/composed.ts'
import { type MachineClient, machineClient } from '../composition/machine-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-composition-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Two of each role: of user and order the seed has two (9.7.10). */
const PAIRS = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment']
const SCALE = [...PAIRS, 'gateway'].map((name) => `${name}=2`).join()
/** Who has to be well before whom, whatever compose.yaml says. */
const BEFORE = [
  ['postgres', 'registry'],
  ['redis', 'registry'],
  ['postgres', 'log-server'],
  ['nats', 'broker'],
  ['registry', 'config-server'],
  ['registry', 'broker'],
  ['registry', 'user'],
  ['broker', 'payment'],
  ['broker', 'order'],
  ['user', 'order'],
  ['user', 'gateway'],
  ['order', 'gateway'],
]
const isPossible = process.getuid?.() === 0 && process.platform === 'linux'
const until = { timeout: 60_000, interval: 200 }

/** Writes compose.yaml into a folder of its own. */
async function composition(name: string, ...flags: readonly string[]) {
  const out = join(name, 'deploy')
  expect(await start(folder, 'deploy', 'compose', '--out', out, ...flags).ended).toMatchObject({ code: 0 })
  const home = join(folder, out)
  const text = readFileSync(join(home, 'compose.yaml'), 'utf8')
  return { composition: readComposition(text), home, folder: join(folder, name), program: inject('program') }
}

/** None of its containers was started a second time. */
function expectFirstStarts(composed: Composed, { services }: Composition): void {
  const again = Object.keys(services).flatMap((name) =>
    composed.containers(name).filter(({ restarts }) => restarts > 0),
  )
  expect(again.map(({ name, lines }) => `${name}: ${lines.join('\n')}`)).toEqual([])
}

/** Somebody who orders by the gateway until it is paid. */
async function buyer(composed: Composed, client: MachineClient) {
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
    const url = `http://${composed.host(gateway, 'outer')}:8000/gateway/api${path}`
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
  return { gateway, buy }
}

describe.skipIf(!isPossible || !isHere('postgres', 'redis-server', 'nats-server', 'ip', 'wget'))(
  'compose.yaml, played in network namespaces (as root alone)',
  () => {
    it('is well in its order, takes orders, and goes on when one of each pair is killed', {
      timeout: 600_000,
    }, async () => {
      const wanted = await composition('pairs', '--scale', SCALE)
      await using composed = await startComposed(wanted)
      const place = (name: string) => composed.well.indexOf(name)
      for (const [first = '', then = ''] of BEFORE)
        expect(place(first), `${first} before ${then}`).toBeLessThan(place(then))
      expectFirstStarts(composed, wanted.composition)

      using client = machineClient(composed)
      const { gateway, buy } = await buyer(composed, client)
      await buy()
      // a command in a container knows the registry alone
      const asked = ['/usr/bin/env', 'LOG_SERVER_URL=http://log-server:4318']
      const found = () => gateway.exec([...asked, 'msvc', 'logs', 'order-service', '--json', '--limit', '1'])
      await expect.poll(found, until).toContain('order-service')

      // as deploy says it for a service that wants a secret
      const [values] = composed.containers('config-server')
      await values?.exec(['msvc', 'config', 'set', 'front', 'API_KEY', 'k-1', '--secret'])
      expect(await values?.exec(['msvc', 'config', 'get', 'front', 'API_KEY', '--secrets'])).toContain('k-1')

      for (const name of PAIRS) {
        const [one, other] = composed.containers(name)
        expect(other).toBeDefined()
        await Promise.all([buy(), one?.kill()])
        await buy()
        await buy()
      }
      expect(await gateway.stop()).toBe(0)
    })

    it('takes orders where there is no IPv4', { timeout: 300_000 }, async () => {
      const wanted = await composition('six')
      await using composed = await startComposed({ ...wanted, family: 'IPv6' })
      expectFirstStarts(composed, wanted.composition)
      using client = machineClient(composed)
      const { buy } = await buyer(composed, client)
      await buy()
      const [registry] = composed.containers('registry')
      const listed = await registry?.exec(['msvc', 'registry', 'list', '--json'])
      expect(listed).toContain('[fd00:')
      expect(listed).not.toMatch(/http:\/\/10\.|http:\/\/127\./)
    })
  },
)
