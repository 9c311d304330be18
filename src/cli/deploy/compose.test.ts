import { describe, expect, it } from 'vitest'
import { writeCompose } from './compose.ts'
import type { DeployFile, Deployment } from './deployment.ts'
import { compositionFaults, readComposition, schemaFaults } from './testing/compose-rules.ts'
import { deploymentOf } from './testing/deployment-of.ts'

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

  it('has every secret in a file of its own, which git leaves out', async () => {
    const { files, composition, text } = await written(await deploymentOf())
    const secrets = files.filter(({ isSecret }) => isSecret)
    expect(secrets.map(({ path }) => `./${path}`)).toEqual(Object.values(composition.secrets).map(({ file }) => file))
    expect(secrets.every(({ mode }) => mode === 0o444)).toBe(true)
    expect(textOf(files, '.gitignore')).toBe('secrets/\n')
    expect(text).not.toContain(letters(26))
  })
})
