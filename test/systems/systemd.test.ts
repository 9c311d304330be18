import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { type Copy, copyExecutable, ROLES } from '../smoke/executable.ts'
import { bootMachine, type Machine } from './machine.ts'
import { makeRoot, obstacle, type Root } from './roots.ts'

const SYSTEMS = (['bookworm', 'trixie'] as const).map(
  (suite): Root => ({ suite, arch: 'amd64', packages: ['systemd-sysv', 'dbus', 'redis-server'] }),
)
const Made = z.object({ id: z.int(), status: z.string().optional() })

/** The commands of docs/deploy.md for systemd, a block each, as root has them. */
const [, chapter = ''] = readFileSync(join(import.meta.dirname, '../../docs/deploy.md'), 'utf8').split(/^## systemd$/m)
const [commands = '', looks = '', backup = '', restore = '', upgrade = ''] = [
  ...chapter.replaceAll(/ +#.*/g, '').matchAll(/^```sh\n(.*?)^```$/gms),
].map(([, block = '']) => block)
const asRoot = (block: string) => block.replaceAll('sudo ', '')

/** A slow machine boots eight programs in it, and starts them again. */
const PATIENCE = { timeout: 120_000 }
/** Limits that this machine may not raise, and a watchdog that is not long waited for where a role is to hang. */
const LOWER = `for unit in msvc ${[...ROLES, 'catalog'].map((name) => `msvc-${name}`).join(' ')}; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nLimitNOFILE=4096\\n' > /etc/systemd/system/$unit.service.d/test.conf
done
echo WatchdogSec=10 >> /etc/systemd/system/msvc-payment.service.d/test.conf
`

/** A service of the user's, in what every Debian has, which is there once it is built. */
const FILE = `cache: redis://127.0.0.1:6379
services:
  catalog:
    run: perl ./built.pl
    dir: ./catalog
    build: ./build.sh
    env: { SHOP_ID: '\${SHOP_ID}' }
    ready: http /health
    needs: [user]
    route: { path: /catalog, methods: { GET: public }, strip: true }
`
const SERVER = `use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ENV{PORT}, Listen => 16, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\\r?$/ }
  my $said = qq({"id":$ENV{SHOP_ID}});
  print $client "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\nContent-Length: " . length($said) . "\\r\\n\\r\\n$said";
  close $client;
}
`
/** What the printed commands have besides. */
const BUILT = '(cd /opt/shop/catalog && sh -c ./build.sh)'
const PROJECT = `mkdir -p catalog .msvc; echo kept > .msvc/kept
cat > msvc.yaml <<'END'
${FILE}END
cat > catalog/server.pl <<'END'
${SERVER}END
printf '#!/bin/sh\\ncp server.pl built.pl\\n' > catalog/build.sh; chmod +x catalog/build.sh
`

describe.each(SYSTEMS)('a machine of $suite with systemd', { timeout: 300_000 }, (system) => {
  let copy: Copy
  let machine: Machine
  const why = obstacle(system)
  beforeEach((test) => test.skip(why !== undefined, why))
  beforeAll(async () => {
    if (why !== undefined) return
    copy = await copyExecutable()
    machine = await bootMachine(await makeRoot(system), { '/usr/bin/msvc': copy.program })
    await machine.sh(`${LOWER} mkdir /etc/msvc /root/shop; cd /root/shop; ${PROJECT}
echo SHOP_ID=4711 > /etc/msvc/catalog.env
msvc deploy compose
${asRoot(commands).replace('\ncp ', `\n${BUILT}\ncp `)}`)
  }, 600_000)
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]()
    copy?.remove()
  })

  const show = async (unit: string, property: string) => machine.sh(`systemctl show -P ${property} ${unit}`)
  const isReady = (role: string) =>
    vi.waitUntil(async () => (await show(`msvc-${role}`, 'StatusText')).startsWith('Ready: '), PATIENCE)

  async function asks() {
    const [, , command = ''] = looks.trim().split('\n')
    const token = await machine.sh(`cd /root && ${asRoot(command)},orders:read`)
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
    await vi.waitUntil(async () => (await ask(`/orders/${order.made?.id}`)).made?.status === 'paid', PATIENCE)
  })

  it('is told the commands of docs/deploy.md, and a build for each service that has one', async () => {
    const said = await machine.sh('cd /root/shop && msvc deploy systemd --json --force')
    const { next } = z.object({ next: z.array(z.string()) }).parse(JSON.parse(said))
    const [, ...told] = commands.trim().split('\n')
    expect(next).toEqual(told.flatMap((line) => (line.startsWith('sudo cp ') ? [BUILT, line] : [line])))
  })

  it('runs a service of the user where it was built, behind the gateway, with what is its own alone', async () => {
    const ask = await asks()
    await vi.waitUntil(async () => (await ask('/../../catalog/items')).made?.id === 4711, PATIENCE)
    expect(await machine.sh('stat -c %a:%u /etc/msvc/msvc.yaml')).toBe('600:0')
    expect(await machine.sh('ls -A /opt/shop')).toBe('catalog\ndeploy\nmsvc.yaml')
    expect(await machine.sh('ls -A /opt/shop/deploy')).toBe('')
    const status = await machine.sh(`cat /proc/${await show('msvc-catalog', 'MainPID')}/status`)
    expect(status).toMatch(/^CapEff:\s+0+$/m)
    expect(status).not.toMatch(/^Uid:\s+0\s/m)
  })

  it('keeps what roles agree in on the server of this machine', async () => {
    expect(await machine.sh('redis-cli dbsize')).not.toBe('0')
  })

  /** Faults of requests that come all the while, 50 a second. */
  async function faultsWhile(work: () => Promise<unknown>): Promise<readonly string[]> {
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
      await vi.waitUntil(() => answers > 20, PATIENCE)
      await work()
      const before = answers
      await vi.waitUntil(() => answers > before + 20, PATIENCE)
    } finally {
      clearInterval(load)
    }
    await Promise.all(under)
    return faults
  }

  it('starts the gateway again without a request that fails', async () => {
    expect(await faultsWhile(() => machine.sh('systemctl restart msvc-gateway'))).toEqual([])
  })

  it('starts all of it again, as for an upgrade, without a connection that is refused', async () => {
    const before = await Promise.all(ROLES.map((role) => show(`msvc-${role}`, 'MainPID')))
    const faults = await faultsWhile(() => machine.sh(`cd /root; ln -sf /usr/bin/msvc msvc-new\n${asRoot(upgrade)}`))
    // how long they wait depends on the machine, and so does how soon all have found each other again
    expect(faults.filter((fault) => !/^503 |"Timeout/.test(fault))).toEqual([])
    const after = await Promise.all(ROLES.map((role) => show(`msvc-${role}`, 'MainPID')))
    expect(after.filter((pid) => before.includes(pid))).toEqual([])
  })

  it('has all that it had once its backup is put back', async () => {
    const ask = await asks()
    const serves = () =>
      vi.waitUntil(async () => {
        const isThere = (path: string) =>
          ask(path)
            .then(({ status }) => status === 200)
            .catch(() => false)
        return (await Promise.all(['/users/1', '/orders/1'].map(isThere))).every(Boolean)
      }, PATIENCE)
    await machine.sh(`cd /root\n${asRoot(backup)}`)
    await serves()
    const { made } = await ask('/users', { username: 'bob', email: 'bob@example.com' })
    expect(made?.id).toBe(2)
    await machine.sh(`cd /root\n${asRoot(restore)}`)
    await serves()
    expect(await ask('/users/1')).toMatchObject({ status: 200 })
    expect(await ask('/users/2')).toMatchObject({ status: 404 })
    expect(await ask('/orders/1')).toMatchObject({ status: 200, made: { status: 'paid' } })
  })

  it('ends a role that hangs, and starts it again', async () => {
    await isReady('payment')
    const hanging = await show('msvc-payment', 'MainPID')
    // 0 would be everybody
    expect(Number(hanging)).toBeGreaterThan(1)
    await machine.sh(`kill -STOP ${hanging}`)
    await vi.waitUntil(async () => (await show('msvc-payment', 'NRestarts')) === '1', PATIENCE)
    await isReady('payment')
    expect(await show('msvc-payment', 'MainPID')).not.toBe(hanging)
  })

  it('stops all of it in order, and nothing listens any more', async () => {
    const stops = performance.now()
    await machine.sh('systemctl stop msvc.target')
    await expect.poll(() => machine.sh("systemctl list-units --plain --no-legend 'msvc*'"), PATIENCE).toBe('')
    expect(performance.now() - stops).toBeLessThan(10_000)
    for (const role of ROLES) {
      expect(await show(`msvc-${role}`, 'Result'), role).toBe('success')
      expect(await show(`msvc-${role}`, 'ExecMainStatus'), role).toBe('0')
    }
    expect(await show('msvc-gateway.socket', 'ActiveState')).toBe('inactive')
    expect((await machine.ask('http://127.0.0.1:8000/')).body).toContain('ECONNREFUSED')
  })

  describe('msvc service', () => {
    const shop = '/srv/a "b" 50% $HOME'
    const inShop = (script: string) => machine.sh(`cd '${shop}'\n${script}`)
    /** What a command says that is refused. */
    const refusal = (script: string) =>
      inShop(`if ${script} 2>&1; then exit 3; fi`).then(
        (said) => said,
        (fault: unknown) => `went through: ${String(fault)}`,
      )
    const settings = (file: string) => inShop(`cat > msvc.yaml <<'END'\n${file}END`)
    beforeAll(async () => {
      if (why !== undefined) return
      await machine.sh(`useradd shop && mkdir '${shop}' && chown shop '${shop}'`)
      await settings('auth: { mode: local }\n')
    })

    it('comes back when the platform of a folder is ready, as its user, whatever the folder is called', async () => {
      await inShop('msvc service install --user shop')
      expect(await show('msvc', 'StatusText')).toMatch(/^Ready: registry, .*gateway/)
      const status = await machine.sh(`cat /proc/${await show('msvc', 'MainPID')}/status`)
      expect(status).toMatch(new RegExp(`^Uid:\\s+${await machine.sh('id -u shop')}\\s`, 'm'))
      expect(await inShop('msvc service status')).toContain('ActiveState=active')
      expect((await machine.ask('http://127.0.0.1:8000/readyz')).status).toBe(200)
    })

    it('follows its changed file by systemctl reload, and says when that has faults', async () => {
      const pid = await show('msvc', 'MainPID')
      await settings('auth: { mode: local }\nservices: { waiter: { run: sleep 1000, ready: none } }\n')
      await machine.sh('systemctl reload msvc')
      await expect.poll(() => show('msvc', 'StatusText'), PATIENCE).toContain('waiter')
      await settings('nonsense: 1\n')
      expect(await refusal('systemctl reload msvc')).toContain('failed')
      expect(await show('msvc', 'MainPID')).toBe(pid)
      await settings('auth: { mode: local }\n')
    })

    it('is started again when it is killed', async () => {
      await machine.sh(`kill -9 ${await show('msvc', 'MainPID')}`)
      await vi.waitUntil(async () => (await show('msvc', 'NRestarts')) === '1', PATIENCE)
      await expect.poll(() => show('msvc', 'StatusText'), PATIENCE).toMatch(/^Ready: /)
    })

    it('is taken away by root alone, and leaves its data', async () => {
      expect(await refusal('runuser -u shop -- msvc service uninstall')).toContain('only root may write to')
      await inShop('msvc service uninstall')
      expect(await show('msvc', 'LoadState')).toBe('not-found')
      expect((await machine.ask('http://127.0.0.1:8000/')).body).toContain('ECONNREFUSED')
      expect(await inShop('ls .msvc')).toContain('keys')
    })

    it('refuses what would not work, and leaves nothing of it', async () => {
      expect(await refusal('msvc service install --user nobody-here')).toContain('there is no user nobody-here')
      expect(await refusal("msvc service install --user $'shop\\nExecStartPre=+/bin/touch /owned'")).toContain(
        'line break',
      )
      expect(await refusal('msvc service install --name dbus --user shop')).toContain('dbus.service is there already')
      await settings('nonsense: 1\n')
      expect(await refusal('msvc service install --user shop')).toContain('msvc.yaml:1: ')
      await settings('gateway: { port: 6379 }\n')
      expect(await refusal('msvc service install --user shop')).toContain('port 6379 on 127.0.0.1 is taken')
      await settings('auth: { mode: local }\n')
      const asShop = (words: string) => inShop(`runuser -u shop -- msvc ${words}`)
      await asShop('up --detach --only registry')
      expect(await refusal('msvc service install --user shop')).toContain('taken away again')
      await asShop('down')
      expect(await machine.sh('ls /etc/systemd/system/*.service')).not.toMatch(/\/(?:msvc|dbus)\.service/)
      expect(await machine.sh("systemctl list-units --all --plain --no-legend 'msvc.service'")).toBe('')
    })
  })
})
