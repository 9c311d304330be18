import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { type Copy, copyExecutable, ROLES } from '../smoke/executable.ts'
import { bootMachine, type Machine } from './machine.ts'
import { makeRoot, obstacle, type Root } from './roots.ts'

const SYSTEM: Root = { suite: 'bookworm', arch: 'amd64', packages: ['systemd-sysv', 'dbus'] }
const why = obstacle(SYSTEM)
const Made = z.object({ id: z.int(), status: z.string().optional() })

/** The commands of docs/deploy.md for systemd, as root has them. */
const [, commands = ''] =
  /^## systemd$.*?^```sh\n(.*?)^```$/ms.exec(readFileSync(join(import.meta.dirname, '../../docs/deploy.md'), 'utf8')) ??
  []
const asRoot = commands.replaceAll('sudo ', '')

/** Limits that this machine may not raise, and a watchdog that is not long waited for. */
const LOWER = `for role in ${ROLES.join(' ')}; do
  mkdir -p /etc/systemd/system/msvc-$role.service.d
  printf '[Service]\\nLimitNOFILE=4096\\nWatchdogSec=3\\n' > /etc/systemd/system/msvc-$role.service.d/test.conf
done
`

describe.skipIf(why !== undefined)('a machine of systemd', () => {
  let copy: Copy
  let machine: Machine
  beforeAll(async () => {
    copy = await copyExecutable()
    machine = await bootMachine(await makeRoot(SYSTEM), { '/usr/bin/msvc': copy.program })
    await machine.sh(`${LOWER} mkdir /root/shop; cd /root/shop\n${asRoot}`)
  }, 600_000)
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]()
    copy?.remove()
  })

  const show = async (unit: string, property: string) => machine.sh(`systemctl show -P ${property} ${unit}`)
  const isReady = (role: string) =>
    vi.waitUntil(async () => (await show(`msvc-${role}`, 'StatusText')).startsWith('Ready: '), { timeout: 20_000 })

  async function asks() {
    const scopes = 'users:write,orders:read,orders:write'
    const key = 'MSVC_KEY_FILE=/etc/msvc/secrets/signing-key MSVC_AUTH_MODE=token MSVC_ENVIRONMENT=production'
    const token = await machine.sh(`cd /root && ${key} msvc token --subject ann --scope ${scopes}`)
    return async (path: string, body?: object) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const init = { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) }
      const answer = await machine.ask(`http://127.0.0.1:8000/gateway/api${path}`, init)
      return { status: answer.status, made: Made.safeParse(JSON.parse(answer.body)).data, said: answer.body }
    }
  }

  it('runs each role as a user of its own, without a right, and takes an order on its whole way', async () => {
    await Promise.all(ROLES.map(isReady))
    const users = await Promise.all(
      ROLES.map(async (role) => {
        const status = await machine.sh(`cat /proc/${await show(`msvc-${role}`, 'MainPID')}/status`)
        expect(status).toMatch(/^CapEff:\s+0+$/m)
        expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
        // a filter of system calls
        expect(status).toMatch(/^Seccomp:\s+2$/m)
        return /^Uid:\s+(\d+)/m.exec(status)?.[1]
      }),
    )
    expect(new Set(users).size).toBe(ROLES.length)
    const ask = await asks()
    const user = await ask('/users', { username: 'ann', email: 'ann@example.com' })
    expect(user, user.said).toMatchObject({ status: 201 })
    const order = await ask('/orders', { user_id: user.made?.id, product_name: 'Laptop', quantity: 1 })
    expect(order, order.said).toMatchObject({ status: 201 })
    await vi.waitUntil(async () => (await ask(`/orders/${order.made?.id}`)).made?.status === 'paid', {
      timeout: 10_000,
    })
  }, 60_000)

  it('starts the gateway again without a request that fails', async () => {
    const ask = await asks()
    const faults: string[] = []
    let answers = 0
    const under = new Set<Promise<void>>()
    const load = setInterval(() => {
      const request = ask('/users/1').then(
        ({ status, said }) => {
          answers++
          if (status !== 200) faults.push(`${status} ${said}`)
        },
        (fault) => void faults.push(String(fault)),
      )
      under.add(request.finally(() => under.delete(request)))
    }, 20)
    try {
      await vi.waitUntil(() => answers > 20, { timeout: 10_000 })
      await machine.sh('systemctl restart msvc-gateway')
      const before = answers
      await vi.waitUntil(() => answers > before + 20, { timeout: 10_000 })
    } finally {
      clearInterval(load)
    }
    await Promise.all(under)
    expect(faults).toEqual([])
  }, 60_000)

  it('ends a role that hangs, and starts it again', async () => {
    const hanging = await show('msvc-payment', 'MainPID')
    await machine.sh(`kill -STOP ${hanging}`)
    await vi.waitUntil(async () => (await show('msvc-payment', 'NRestarts')) === '1', { timeout: 20_000 })
    await isReady('payment')
    expect(await show('msvc-payment', 'MainPID')).not.toBe(hanging)
  }, 60_000)

  it('stops all of it in order, and nothing listens any more', async () => {
    const stops = performance.now()
    await machine.sh('systemctl stop msvc.target')
    await expect
      .poll(() => machine.sh("systemctl list-units --plain --no-legend 'msvc*'"), { timeout: 20_000 })
      .toBe('')
    expect(performance.now() - stops).toBeLessThan(10_000)
    for (const role of ROLES) {
      expect(await show(`msvc-${role}`, 'Result'), role).toBe('success')
      expect(await show(`msvc-${role}`, 'ExecMainStatus'), role).toBe('0')
    }
    expect(await show('msvc-gateway.socket', 'ActiveState')).toBe('inactive')
    expect((await machine.ask('http://127.0.0.1:8000/')).body).toContain('ECONNREFUSED')
  }, 60_000)
})
