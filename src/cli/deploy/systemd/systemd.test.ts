import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Deployment } from '../deployment.ts'
import { deploymentOf } from '../testing/deployment-of.ts'
import { writeSystemd } from './systemd.ts'

const isThere = spawnSync('systemd-analyze', ['--version']).status === 0
const FILE = `auth: { hosts: [api.example.com] }
store: postgres://app:pw@db.example/shop
cache: redis://cache.example
bus: nats://bus.example
services:
  catalog: { run: node catalog.js, dir: ./catalog, needs: [user] }
`

async function written(deployment: Deployment) {
  const { files, next } = await writeSystemd(deployment, (length) => 'x'.repeat(length))
  const units = new Map(
    files.filter(({ path }) => /\.(?:service|socket|target)$/.test(path)).map((file) => [file.path, file.text]),
  )
  return { files, next, units }
}

/** What systemd-analyze says of units, in a folder of their own. */
function analyze(
  units: ReadonlyMap<string, string>,
  check: (paths: readonly string[], env: NodeJS.ProcessEnv) => string,
) {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-units-'))
  try {
    // verify looks for the program
    for (const [name, text] of units)
      writeFileSync(
        join(folder, name),
        text.replaceAll('/usr/local/bin/msvc', '/bin/true').replace(/^WorkingDirectory=.*$/m, ''),
      )
    const paths = [...units.keys()].map((name) => join(folder, name.replace('@.', '@1.')))
    return check(paths, { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:`, SYSTEMD_COLORS: '0' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('units of systemd', () => {
  it('keep what is embedded in a folder of their own, once each', async () => {
    const { units } = await written(await deploymentOf())
    expect([...units.keys()]).toEqual([
      'msvc.target',
      ...['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway'].map(
        (name) => `msvc-${name}.service`,
      ),
      'msvc-gateway.socket',
    ])
    expect(units.get('msvc-user.service')).toContain('StateDirectory=msvc/user\n')
    expect(units.get('msvc-user.service')).not.toContain('DATABASE_URL_FILE')
    expect(units.get('msvc-gateway.socket')).toContain('ListenStream=127.0.0.1:8000\n')
    expect(units.get('msvc-gateway.service')).toContain('Sockets=msvc-gateway.socket\n')
  })

  it('are templates where replicas share servers, with their addresses as credentials', async () => {
    const { units, files, next } = await written(await deploymentOf({ file: FILE, folders: ['catalog'] }))
    const user = units.get('msvc-user@.service') ?? ''
    expect(user).toContain('ExecStart=/usr/local/bin/msvc serve user --port 0 --config %d/msvc.yaml\n')
    expect(user).toContain('LoadCredential=msvc.yaml:/etc/msvc/msvc.yaml\n')
    expect(user).toContain('Environment=NODE_OPTIONS=--max-old-space-size-percentage=60\n')
    expect(user).toContain(
      'LoadCredential=database-url:/etc/msvc/secrets/database-url\nEnvironment=DATABASE_URL_FILE=%d/database-url\n',
    )
    expect(units.get('msvc.target')).toContain('Wants=msvc-user@1.service\nWants=msvc-user@2.service\n')
    expect(units.get('msvc-catalog.service')).toContain('up --only catalog --in-process --config /opt/shop/msvc.yaml\n')
    expect(units.get('msvc-catalog.service')).toMatch(/^After=.* msvc-user@1\.service msvc-user@2\.service/m)
    expect([...units.values()].join('')).not.toContain('app:pw')
    expect(files.find(({ path }) => path === 'secrets/database-url')?.text).toBe('postgres://app:pw@db.example/shop\n')
    expect(next.at(-1)).toBe('sudo systemctl daemon-reload && sudo systemctl enable --now msvc.target')
  })

  it('go on with servers of this machine, which they see, and wait for those that it starts', async () => {
    const local = FILE.replaceAll(/(?:db|cache|bus)\.example/g, 'localhost')
    const { units, files } = await written(await deploymentOf({ file: local, folders: ['catalog'] }))
    expect(files.find(({ path }) => path === 'secrets/database-url')?.text).toBe('postgres://app:pw@localhost/shop\n')
    expect(units.get('msvc-user@.service')).toContain('Environment=DATABASE_URL_FILE=%d/database-url\n')
    expect(units.get('msvc-user@.service')).toMatch(/^After=network-online\.target postgresql\.service /m)
  })

  it('have as many replicas as can be, and refuse more', async () => {
    const scaled = async (scale: Record<string, number>, file?: string) =>
      written(await deploymentOf({ scale, folders: ['catalog'], ...(file !== undefined && { file }) }))
    await expect(scaled({ user: 3 })).rejects.toThrow(/--scale user=3: .* a database of its own; name a server/)
    await expect(scaled({ gateway: 2 }, FILE)).rejects.toThrow(/--scale gateway=2: one machine has one gateway/)
    await expect(scaled({ registry: 2 }, FILE)).rejects.toThrow(/--scale registry=2: .* only one can have/)
    const { units } = await scaled({ user: 3, catalog: 2 }, FILE)
    expect(units.get('msvc.target')).toContain('Wants=msvc-user@3.service\n')
    expect(units.get('msvc-catalog.service')).toContain('up --only catalog --scale catalog=2 --in-process')
    expect(units.get('msvc-catalog.service')).toContain('MemoryMax=1024M\n')
  })

  it('find services where the steps put and build them, but for what is private', async () => {
    const file = `data: ./kept
services:
  catalog: { run: ./catalog, dir: './my catalog', build: [go, build, -o, catalog, './a b'] }
  front: { run: node front.js, build: "npm ci &&\\n npm run 'build'" }
`
    const { units, next, files } = await written(await deploymentOf({ file, folders: ['my catalog'] }))
    expect(units.get('msvc-front.service')).toContain('Environment=MSVC_UP_BUILD=false\n')
    expect(units.get('msvc-front.service')).toContain('BindReadOnlyPaths=%d/msvc.yaml:/opt/shop/msvc.yaml\n')
    expect(next).toContain('sudo install -m 0600 ../../msvc.yaml /etc/msvc/msvc.yaml')
    expect(next.find((line) => line.startsWith('tar '))).toContain(
      ' --exclude=./msvc.yaml --exclude=./deploy/compose --exclude=./kept ',
    )
    expect(next).toContain("(cd '/opt/shop/my catalog' && go build -o catalog './a b')")
    expect(next).toContain("(cd /opt/shop && sh -c 'npm ci &&\n npm run '\\''build'\\''')")
    expect(files.map(({ path }) => path)).not.toContain('msvc.yaml')
  })

  it.skipIf(!isThere)('are what systemd-analyze verify takes without a word', async () => {
    for (const wanted of [{}, { file: FILE, folders: ['catalog'] }]) {
      const { units } = await written(await deploymentOf(wanted))
      const said = analyze(
        units,
        (paths, env) => spawnSync('systemd-analyze', ['verify', ...paths], { env, encoding: 'utf8' }).stderr,
      )
      expect(said.split('\n').filter((line) => line.includes('msvc'))).toEqual([])
    }
  })

  it.skipIf(!isThere)('are hardened to 2.0 or better', async () => {
    const { units } = await written(await deploymentOf({ file: FILE, folders: ['catalog'] }))
    const services = new Map([...units].filter(([name]) => name.endsWith('.service')))
    const scores = analyze(services, (paths, env) =>
      paths
        .map((path) => {
          const name = path.replace('@1.', '@.')
          const said = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', name], {
            env,
            encoding: 'utf8',
          })
          return /Overall exposure level.*: ([\d.]+)/.exec(said)?.[1] ?? '10'
        })
        .join(),
    )
    expect(scores.split(',').filter((score) => !(Number(score) <= 2))).toEqual([])
  })
})
