import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ROLE_NAMES } from '../../../roles/catalog.ts'
import type { DeployFile, Deployment } from '../deployment.ts'
import { compositionFaults, readComposition, schemaFaults } from '../testing/compose-rules.ts'
import { deploymentOf } from '../testing/deployment-of.ts'
import { writeCompose } from './compose.ts'

const letters = (length: number) => 'x'.repeat(length)
const textOf = (files: readonly DeployFile[], path: string) => files.find((file) => file.path === path)?.text ?? ''

async function written(deployment: Deployment) {
  const { files, next } = await writeCompose(deployment, letters)
  const text = textOf(files, 'compose.yaml')
  return {
    files,
    next,
    text,
    composition: readComposition(text),
    faults: [...schemaFaults(text), ...compositionFaults(readComposition(text))],
  }
}

describe('compose.yaml', () => {
  it('has the topology of the seed (9.7.10), and what goes by the specification and the rules', async () => {
    const { composition, faults } = await written(await deploymentOf())
    expect(faults).toEqual([])
    const replicas = Object.entries(composition.services).map(([name, { deploy }]) => [name, deploy.replicas])
    expect(Object.fromEntries(replicas)).toEqual({
      ...{ registry: 1, 'config-server': 1, 'log-server': 1, broker: 1, user: 2, order: 2, payment: 1, gateway: 1 },
      ...{ postgres: 1, redis: 1, nats: 1 },
    })
    expect(composition.services.postgres?.image).toMatch(/^postgres:15\./)
    expect(composition.services.redis?.image).toMatch(/^redis:7\./)
  })

  it('opens the gateway alone, and keeps the stores with those that keep something there', async () => {
    const { composition } = await written(await deploymentOf({ scale: { gateway: 2 } }))
    const { services } = composition
    expect(Object.keys(services).filter((name) => services[name]?.ports.length)).toEqual(['gateway'])
    expect(services.gateway?.ports).toEqual(['127.0.0.1:8000-8001:8000'])
    expect(Object.keys(services.postgres?.networks ?? {})).toEqual(['stores'])
    const first = Object.values(services).filter(({ networks }) => Object.keys(networks).length > 1)
    expect(first.every(({ networks }) => (networks.inner?.priority ?? 0) > 0)).toBe(true)
  })

  it('waits for what each needs, stores before roles', async () => {
    const { composition } = await written(await deploymentOf())
    expect(Object.keys(composition.services.order?.depends_on ?? {})).toEqual([
      'postgres',
      'registry',
      'broker',
      'user',
    ])
    expect(Object.keys(composition.services.broker?.depends_on ?? {})).toEqual(['nats', 'registry'])
  })

  it('mounts the file, and leaves out a store that runs elsewhere', async () => {
    const file = 'environment: staging\nstore: postgres://app:pw@db.example/shop\nauth: { hosts: [api.example.com] }\n'
    const { composition, faults, files } = await written(await deploymentOf({ file }))
    expect(faults).toEqual([])
    expect(composition.services.postgres).toBeUndefined()
    expect(composition.configs).toEqual({ config: { file: '../../msvc.yaml' } })
    expect(composition.services.user).toMatchObject({
      command: ['serve', 'user', '--config', '/etc/msvc/msvc.yaml'],
      configs: [{ source: 'config', target: '/etc/msvc/msvc.yaml' }],
      environment: {
        MSVC_ENVIRONMENT: 'staging',
        MSVC_AUTH_HOSTS: expect.stringMatching(/^api\.example\.com,localhost/),
      },
    })
    expect(textOf(files, 'secrets/database-url')).toBe('postgres://app:pw@db.example/shop\n')
  })

  it('mounts a closed copy of a file that its owner alone can read, as no user of a container is that owner', async () => {
    const { composition, faults, files } = await written(
      await deploymentOf({ file: 'cache: redis://:pw@r.example\n', isPrivate: true }),
    )
    expect(faults).toEqual([])
    expect(composition.configs).toEqual({ config: { file: './secrets/msvc.yaml' } })
    expect(files.find(({ path }) => path === 'secrets/msvc.yaml')).toEqual({
      path: 'secrets/msvc.yaml',
      text: 'cache: redis://:pw@r.example\n',
      mode: 0o444,
      isSecret: true,
    })
  })

  it('has every secret in a file of its own, which git leaves out', async () => {
    const { files, composition, text } = await written(await deploymentOf())
    const secrets = files.filter(({ isSecret }) => isSecret)
    expect(secrets.map(({ path }) => `./${path}`)).toEqual(Object.values(composition.secrets).map(({ file }) => file))
    expect(secrets.every(({ mode }) => mode === 0o444)).toBe(true)
    expect(textOf(files, '.gitignore')).toBe('secrets/\n.env\nmsvc.tar\n')
    expect(text).not.toContain(letters(26))
  })

  it('runs services of the user beside it, each with msvc in an image of its own', async () => {
    const file = `services:
  catalog: { run: python3 catalog.py, dir: ./catalog, needs: [broker], stop: { grace_ms: 30000 } }
  front: { run: node front.mjs, dir: ./front, replicas: 3, needs: [catalog], secrets: [KEY] }
`
    const { composition, faults } = await written(await deploymentOf({ file, folders: ['catalog', 'front'] }))
    expect(faults).toEqual([])
    const { front, catalog } = composition.services
    expect(front).toMatchObject({
      build: { context: '../..', dockerfile: 'deploy/compose/front.Dockerfile' },
      secrets: ['signing-key'],
      configs: [{ source: 'config', target: '/app/msvc.yaml' }],
      environment: { REGISTRY_URL: 'http://registry:8500', MSVC_UP_HOST: '0.0.0.0', MSVC_UP_BUILD: 'false' },
      deploy: { replicas: 3 },
    })
    expect(Object.keys(front?.depends_on ?? {})).toEqual(['registry', 'config-server', 'catalog'])
    expect(Object.keys(front?.networks ?? {})).toEqual(['inner'])
    expect(catalog?.stop_grace_period).toBe('40s')
  })

  const WANTS = `up: { without: [order, payment] }
services:
  front:
    run: node front.mjs
    dir: ./my front
    env: { DB: 'x\${SHOP_DB}', LANGUAGE: '\${LANG:-en}', HOME_PAGE: '\${HOME}/index' }
    secrets: [API_KEY]
    route: { path: /shop, methods: { GET: [shop:read], POST: public } }
`

  it('passes on the variables that a service is filled in with, and says what else a person has to give', async () => {
    const { composition, faults, next } = await written(await deploymentOf({ file: WANTS, folders: ['my front'] }))
    expect(faults).toEqual([])
    const { environment } = composition.services.front ?? {}
    expect(environment).toMatchObject({
      SHOP_DB: '${SHOP_DB?set it in .env beside compose.yaml}',
      LANG: '${LANG-}',
    })
    expect(environment).not.toHaveProperty('HOME')
    expect(next).toEqual([
      'msvc deploy image msvc.tar && docker load -i msvc.tar',
      "echo 'SHOP_DB=…' >> .env",
      'docker compose up -d --wait config-server',
      'docker compose exec -T config-server msvc config set front API_KEY - --secret < API_KEY',
      'docker compose up -d --wait --build',
      'docker compose exec gateway msvc token --subject me --scope users:write,shop:read',
    ])
  })

  it('pulls images from where they are said to be, with one tag for all', async () => {
    const deployment = await deploymentOf({ file: WANTS, folders: ['my front'], image: 'localhost:5000/a/msvc:7' })
    const { composition, files, next } = await written(deployment)
    const { user, front } = composition.services
    expect([user?.image, front?.image]).toEqual(['localhost:5000/a/msvc:7', 'localhost:5000/a/shop-front:7'])
    expect(textOf(files, 'front.Dockerfile')).toContain('FROM localhost:5000/a/msvc:7 AS msvc')
    expect(next[0]).toBe('msvc deploy image msvc.tar --tag localhost:5000/a/msvc:7 && docker load -i msvc.tar')
    await expect(deploymentOf({ image: 'Msvc' })).rejects.toMatchObject({ code: 'USAGE' })
    expect((await deploymentOf({ image: 'registry.example/shop/msvc' })).image).toMatch(
      /^registry\.example\/shop\/msvc:\d+\.\d+\.\d+$/,
    )
  })

  it('stays valid, whatever services are called and wherever they lie', async () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/),
      fc.constantFrom('true', 'null', 'on', 'y', '1e3', '0x1f', '123', 'constructor'),
    )
    const taken = [
      'postgres',
      'redis',
      'nats',
      'outbound',
      'dashboard',
      ...ROLE_NAMES,
      'user-service',
      'order-service',
      'payment-service',
      'api-gateway',
    ]
    const folder = fc.constantFrom('plain', "it's", 'with blank', '$HOME', 'a"b', 'ü')
    const service = fc.record({ dir: folder, replicas: fc.integer({ min: 1, max: 9 }), build: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          name.filter((each) => !taken.includes(each)),
          service,
          { minKeys: 1, maxKeys: 4 },
        ),
        async (services) => {
          const own = Object.entries(services).map(([key, { dir, replicas, build }]) => [
            key,
            { run: 'node main.mjs', dir, replicas, ...(build && { build: 'make all' }) },
          ])
          const file = JSON.stringify({ services: Object.fromEntries(own) })
          const folders = Object.values(services).map(({ dir }) => dir)
          const { composition, faults } = await written(await deploymentOf({ file, folders }))
          expect(faults).toEqual([])
          expect(Object.keys(composition.services)).toEqual(expect.arrayContaining(Object.keys(services)))
          for (const [key, { replicas }] of Object.entries(services))
            expect(composition.services[key]?.deploy.replicas).toBe(replicas)
        },
      ),
      { numRuns: 25 },
    )
  })

  it.each([
    ['registry: { port: 0 }\n', /registry\.port is 0, any free one/],
    ['services: { redis: { run: ./redis } }\n', /services\.redis is called as the server that roles keep things in/],
    ['services: { catalog: { run: ./catalog, dir: .. } }\n', /services\.catalog\.dir lies outside of /],
  ])('refuses what can not be deployed: %s', async (file, message) => {
    await expect(deploymentOf({ file })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('refuses replicas of what is not there', async () => {
    await expect(deploymentOf({ scale: { usr: 2 } })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/usr is not deployed.*did you mean user/),
    })
  })
})
