import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { AppError } from '../errors.ts'
import { defineRole } from '../role.ts'
import { loadConfiguration } from './load.ts'

const user = defineRole({
  name: 'user',
  service: 'user-service',
  summary: 'users',
  port: 8001,
  config: z.strictObject({}),
  needs: [],
  start: () => Promise.reject(new Error('not started here')),
})

const folder = mkdtempSync(join(tmpdir(), 'msvc-own-'))
afterAll(() => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'shop/catalog'), { recursive: true })

function load(yaml: string, environment: Readonly<Record<string, string>> = {}) {
  writeFileSync(join(folder, 'shop/msvc.yaml'), yaml)
  return loadConfiguration({
    roles: [user],
    together: ['user'],
    file: 'shop/msvc.yaml',
    folder,
    environment,
    runsServices: true,
  })
}

async function faults(yaml: string): Promise<string[]> {
  try {
    await load(yaml)
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'CONFIG_INVALID') return thrown.message.split('\n')
    throw thrown
  }
  return []
}

describe('services of the user', () => {
  it('are told from addresses, and filled in', async () => {
    const { own, settings } = await load(
      `services:
  payment-service: http://10.0.0.5:8003
  catalog:
    run: python3 catalog.py
    dir: catalog
    env: { LEVEL: '\${LEVEL:-debug}', COPIES: 2 }
    ready: http /health
    route: { path: /catalog, methods: { GET: public, POST: [catalog:write] }, strip: true, limit: { per_second: 10, burst: 20 } }
`,
      { LEVEL: 'info' },
    )
    expect(settings.services).toEqual({ 'payment-service': 'http://10.0.0.5:8003' })
    expect(own).toMatchObject({
      catalog: {
        run: 'python3 catalog.py',
        dir: join(folder, 'shop/catalog'),
        env: { LEVEL: 'info', COPIES: '2' },
        ready: { by: 'http', path: '/health' },
        replicas: 1,
        restart: { when: 'always' },
        stop: { signal: 'SIGTERM', grace_ms: 10_000 },
      },
    })
  })

  it.each([
    ['tcp', { by: 'tcp' }],
    ['none', { by: 'none' }],
    ['http /', { by: 'http', path: '/' }],
    ['log "listening on"', { by: 'log', text: 'listening on' }],
    ['log ready', { by: 'log', text: 'ready' }],
    ['exec ./ready.sh now', { by: 'exec', command: './ready.sh now' }],
  ])('are ready by %s', async (text, readiness) => {
    const { own } = await load(`services: { catalog: { run: x, ready: '${text}' } }`)
    expect(own.catalog?.ready).toEqual(readiness)
  })

  it('leave folders and variables alone where they do not run', async () => {
    writeFileSync(
      join(folder, 'shop/msvc.yaml'),
      `services: { catalog: { run: x, dir: nowhere, env: { A: '\${B}' } } }`,
    )
    const options = { roles: [], together: [], file: 'shop/msvc.yaml', folder, environment: {} }
    expect((await loadConfiguration(options)).own.catalog?.env).toEqual({ A: '${B}' })
  })
})

const one = (fields: string) => `services:\n  catalog:\n    run: x\n${fields}`

describe('faults of a service, each with its line', () => {
  it.each([
    ['an unknown key', one('    prot: 1'), 'shop/msvc.yaml:4: services.catalog.prot: unknown key; did you mean port?'],
    [
      'no command',
      'services:\n  catalog: { port: 1 }',
      /:2: services.catalog.run: expected a line for the shell, or a list of words, but it is missing$/,
    ],
    [
      'an empty command',
      'services:\n  catalog: { run: [] }',
      /:2: services.catalog.run: expected a line for the shell, or a list of words, got \[\]/,
    ],
    [
      'a bad name',
      'services:\n  Cata_log: { run: x }',
      /:2: services.Cata_log: expected a name of small letters, digits and dashes, got "Cata_log"/,
    ],
    [
      'a missing folder',
      one('    dir: nowhere'),
      `shop/msvc.yaml:4: services.catalog.dir: there is no folder ${join(folder, 'shop/nowhere')}`,
    ],
    [
      'a NUL in a command',
      'services:\n  catalog: { run: "a\\0b" }',
      'shop/msvc.yaml:2: services.catalog.run: it holds a NUL character (\\0), which no command can be given; leave it out',
    ],
    [
      'a NUL in a word of a command',
      'services:\n  catalog: { run: [a, "a\\0b"] }',
      'shop/msvc.yaml:2: services.catalog.run.1: it holds a NUL character (\\0), which no command can be given; leave it out',
    ],
    [
      'a NUL in a build',
      one('    build: "a\\0b"'),
      'shop/msvc.yaml:4: services.catalog.build: it holds a NUL character (\\0), which no command can be given; leave it out',
    ],
    [
      'a NUL in what it is ready by',
      one('    ready: "exec a\\0b"'),
      'shop/msvc.yaml:4: services.catalog.ready: it holds a NUL character (\\0), which no command can be given; leave it out',
    ],
    [
      'a NUL in a variable',
      one('    env: { KEY: "a\\0b" }'),
      'shop/msvc.yaml:4: services.catalog.env.KEY: it holds a NUL character (\\0), which no command can be given; leave it out',
    ],
    [
      'a NUL in a folder',
      one('    dir: "a\\0b"'),
      'shop/msvc.yaml:4: services.catalog.dir: it holds a NUL character (\\0), which no command can be given; leave it out',
    ],
    [
      'a missing variable',
      one('    env:\n      KEY: ${STRIPE_KEY}'),
      'shop/msvc.yaml:5: services.catalog.env.KEY: ${STRIPE_KEY} is not set; set it, or write ${STRIPE_KEY:-default}',
    ],
    [
      'a variable that is given',
      one('    env: { PORT: 1 }'),
      'shop/msvc.yaml:4: services.catalog.env.PORT: PORT is given by the platform; leave it out',
    ],
    [
      'variables that are given',
      one('    env: { MSVC_ENVIRONMENT: production, MSVC_RUN: mine }'),
      [
        'shop/msvc.yaml:4: services.catalog.env.MSVC_ENVIRONMENT: MSVC_ENVIRONMENT is given by the platform; leave it out',
        'shop/msvc.yaml:4: services.catalog.env.MSVC_RUN: MSVC_RUN is given by the platform; leave it out',
      ],
    ],
    [
      'a secret that is given',
      one('    secrets:\n      - KEY\n      - INSTANCE_ID'),
      'shop/msvc.yaml:6: services.catalog.secrets.1: INSTANCE_ID is given by the platform; leave it out',
    ],
    [
      'a strange readiness',
      one('    ready: http health'),
      'shop/msvc.yaml:4: services.catalog.ready: expected http /health, tcp, log "listening on", exec ./ready.sh, or none, got "http health"',
    ],
    [
      'needs of nothing',
      one('    needs: [usr]'),
      'shop/msvc.yaml:4: services.catalog.needs.0: there is neither a role nor a service usr; did you mean user?',
    ],
    [
      'needs by a registered name',
      one('    needs: [user-service]'),
      'shop/msvc.yaml:4: services.catalog.needs.0: there is neither a role nor a service user-service; did you mean user?',
    ],
    [
      "a role's name",
      'services:\n  user: { run: x }',
      "shop/msvc.yaml:2: services.user: user is the platform's own (the role user); give your service another name",
    ],
    [
      "a role's registered name",
      'services:\n  user-service: { run: x }',
      /:2: services.user-service: user-service is the platform's own \(the role user\)/,
    ],
    [
      "a role's port",
      one('    port: 8001'),
      "shop/msvc.yaml:4: services.catalog.port: 8001 is user's port too; give each its own, or leave it out for a free one",
    ],
    [
      'a port of a worker',
      one('    ready: none\n    port: 1'),
      'shop/msvc.yaml:5: services.catalog.port: a service that is ready: none has no port; leave it out',
    ],
    [
      'a worker that receives',
      one('    ready: none\n    receives: { order.created: { to: /order } }'),
      'shop/msvc.yaml:5: services.catalog.receives: a service that is ready: none has no port to be reached at; leave out one of the two',
    ],
    [
      'a topic that is none',
      one('    receives: { order..created: { to: /order } }'),
      'shop/msvc.yaml:4: services.catalog.receives.order..created: expected a topic such as order.created, or a pattern of them such as order.* or order.>',
    ],
    [
      'calls to nobody',
      one('    calls: { user: { attempts: 2 } }'),
      'shop/msvc.yaml:4: services.catalog.calls.user: there is no service user; did you mean user-service?',
    ],
    [
      'a route without methods',
      one('    route: { path: /catalog }'),
      /:4: services.catalog.route.methods: expected a section with keys of its own, but it is missing/,
    ],
  ])('%s', async (_, yaml, fault) => {
    expect(await faults(yaml)).toEqual(
      [fault].flat().map((each) => (typeof each === 'string' ? each : expect.stringMatching(each))),
    )
  })

  it('the root of it alone, not what follows', async () => {
    const yaml = `services:
  catalog: { runn: x, replicas: 2 }
  stock: 127.0.0.1 7001
  shop: { run: y, needs: [catalog, stock], calls: { catalog: { attempts: 2 } } }
  mail: { run: z, route: { pth: /mail, method: { GET: public } } }
`
    expect(await faults(yaml)).toEqual([
      'shop/msvc.yaml:2: services.catalog.runn: unknown key; did you mean run?',
      expect.stringMatching(/^shop\/msvc\.yaml:3: services\.stock: an address such as/),
      'shop/msvc.yaml:5: services.mail.route.pth: unknown key; did you mean path?',
      'shop/msvc.yaml:5: services.mail.route.method: unknown key; did you mean methods?',
    ])
    expect(await faults('services:\n  a: { run: x, needs: [b] }\n  b: { run: x, needs: [nothing] }\n')).toEqual([
      'shop/msvc.yaml:3: services.b.needs.0: there is neither a role nor a service nothing',
    ])
  })

  it('a setting that stands where a service would', async () => {
    const misplaced = (line: number, name: string) =>
      `shop/msvc.yaml:${line}: services.${name}: ${name} is a setting of a service: indent it further than that service's name`
    const yaml = 'services:\n  catalog:\n    run: x\n  dir: ./catalog\n  watch: ["**/*.py"]\n  replicas: 2\n'
    expect(await faults(yaml)).toEqual([misplaced(4, 'dir'), misplaced(5, 'watch'), misplaced(6, 'replicas')])
    expect(await faults('services:\n  run: x\n')).toEqual([misplaced(2, 'run')])
    expect(await faults('services:\n  build: https://build.example\n')).toEqual([])
  })

  it('two on one port', async () => {
    expect(await faults('services:\n  a: { run: x, port: 7001 }\n  b: { run: x, port: 7001 }')).toEqual([
      "shop/msvc.yaml:3: services.b.port: 7001 is a's port too; give each its own, or leave it out for a free one",
    ])
  })

  it('a name that is a replica of another', async () => {
    expect(await faults('services:\n  worker: { run: x, replicas: 2 }\n  worker-2: { run: x }')).toEqual([
      'shop/msvc.yaml:3: services.worker-2: worker-2 is a replica of worker too (replicas: 2); rename one of them',
    ])
  })

  it('needs in a circle, which is drawn', async () => {
    const yaml =
      'services:\n  a: { run: x, needs: [b, user] }\n  b: { run: x, needs: [c] }\n  c: { run: x, needs: [a] }\n  d: { run: x, needs: [a] }'
    expect(await faults(yaml)).toEqual([
      'shop/msvc.yaml:2: services.a.needs: these need each other in a circle, so none could start: a -> b -> c -> a',
    ])
  })
})
