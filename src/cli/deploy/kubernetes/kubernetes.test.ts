import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeployFile, Deployment } from '../deployment.ts'
import { readCluster } from '../testing/cluster.ts'
import { isOpen } from '../testing/cluster-ways.ts'
import { deploymentOf } from '../testing/deployment-of.ts'
import { clusterFaults, schemaFaults } from '../testing/kubernetes-rules.ts'
import { writeKubernetes } from './kubernetes.ts'
import { outsidePorts } from './links.ts'

const letters = (length: number) => 'x'.repeat(length)
const textOf = (files: readonly DeployFile[], path: string) => files.find((file) => file.path === path)?.text ?? ''

async function written(deployment: Deployment) {
  const { files } = await writeKubernetes(deployment, letters)
  const cluster = readCluster(files)
  return { files, cluster, faults: [...schemaFaults(cluster), ...clusterFaults(cluster, files)] }
}

const SHOP = `services:
  front: { run: node front.mjs, dir: ./front, port: 7001, ready: http /health, needs: [user], route: { path: /shop, methods: { GET: public } } }
  mailer: { run: python3 mailer.py, dir: ./mailer, ready: tcp, receives: { order.created: { to: /created } } }
`

describe('msvc deploy kubernetes', () => {
  it("goes by Kubernetes' schemas and rules such as kube-score's", async () => {
    const { faults, cluster } = await written(await deploymentOf())
    expect(faults).toEqual([])
    expect(cluster.workloads.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      ...['StatefulSet postgres', 'StatefulSet redis', 'StatefulSet nats'],
      ...['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway'].map(
        (name) => `Deployment ${name}`,
      ),
    ])
    expect([...cluster.scaled.keys()]).toEqual(['user', 'order'])
  })

  it('is held by rules that something can go against', async () => {
    const { files, cluster } = await written(await deploymentOf())
    const wrong = {
      ...cluster,
      objects: [{ kind: 'Deployment', metadata: { name: 'user' }, spec: { replicas: 'two' } }],
    }
    expect(schemaFaults(wrong).join()).toContain('Deployment user')
    const fewer = files.filter(({ path }) => path !== 'secrets/database-url')
    expect(clusterFaults(cluster, fewer)).toEqual(['secrets/database-url is not there'])
    const closed = cluster.policies.filter(({ metadata }) => metadata.name !== 'user')
    const undenied = {
      ...cluster,
      policies: cluster.policies.filter(({ metadata }) => metadata.name !== 'default.deny'),
    }
    expect(clusterFaults(undenied, files)).toEqual(['whom no policy names may talk to all'])
    const eager = { ...cluster, scaled: new Map([...cluster.scaled, ['user', 0.07]]) }
    expect(clusterFaults(eager, files)).toEqual(['user: grows at 0.07 of 1 processors'])
    expect(isOpen({ ...cluster, policies: closed }, 'order', 'user', 8001)).toBe(false)
  })

  it('lets each talk to whom it has to, and to nobody else', async () => {
    const { files, cluster, faults } = await written(await deploymentOf({ file: SHOP, folders: ['front', 'mailer'] }))
    expect(faults).toEqual([])
    expect(textOf(files, 'services/front.yaml')).toMatch(/mountPath: \/app\/msvc\.yaml\s+subPath: msvc\.yaml/)
    const open = (caller: string, called: string, port: number) => isOpen(cluster, caller, called, port)
    expect(open('order', 'user', 8001)).toBe(true)
    expect(open('gateway', 'front', 7001)).toBe(true)
    expect(open('broker', 'mailer', 4_000)).toBe(true)
    expect(open('user', 'postgres', 5432)).toBe(true)
    expect(open('gateway', 'postgres', 5432)).toBe(false)
    expect(open('front', 'postgres', 5432)).toBe(false)
    expect(open('payment', 'user', 8001)).toBe(false)
    expect(open('user', 'order', 8002)).toBe(false)
  })

  it('takes the file along, and makes no store of what runs elsewhere', async () => {
    const file = 'store: postgres://app:pw@db.example:6543/shop\ndrain_seconds: 40\n'
    const { cluster, faults, files } = await written(await deploymentOf({ file }))
    expect(faults).toEqual([])
    // it holds a password
    expect(files.find(({ path }) => path === 'secrets/msvc.yaml')).toMatchObject({
      text: file,
      mode: 0o400,
      isSecret: true,
    })
    expect(files.filter(({ text, isSecret }) => !isSecret && text.includes(':pw@'))).toEqual([])
    expect(textOf(files, 'secrets/database-url')).toBe('postgres://app:pw@db.example:6543/shop\n')
    expect(files.some(({ path }) => path === 'postgres.yaml')).toBe(false)
    const user = cluster.workloads.find(({ metadata }) => metadata.name === 'user')
    expect(user?.spec.template.spec.terminationGracePeriodSeconds).toBe(55)
    const way = cluster.policies.find(({ metadata }) => metadata.name === 'user')?.spec.egress
    expect(way).toContainEqual({ ports: [{ port: 6543 }] })
  })

  it('has no secret but in files that git leaves out', async () => {
    const { files } = await written(await deploymentOf())
    expect(textOf(files, '.gitignore')).toBe('secrets/\nmsvc.tar\n')
    const open = files.filter(({ isSecret }) => !isSecret)
    expect(open.filter(({ text }) => text.includes(letters(26)))).toEqual([])
  })

  it('pulls images from where they are said to be, and says all that a person has to do', async () => {
    const file = `up: { without: [payment, order] }
services:
  front: { run: ./run, dir: ./my front, env: { DB: '\${SHOP_DB}', L: '\${LANG:-en}' }, secrets: [API_KEY] }
`
    const deployment = await deploymentOf({ file, folders: ['my front'], image: 'registry.example/a/msvc:7' })
    const { cluster, faults } = await written(deployment)
    expect(faults).toEqual([])
    expect(cluster.kustomization.images).toEqual([
      { name: 'msvc', newName: 'registry.example/a/msvc', newTag: '7' },
      { name: 'shop-front', newName: 'registry.example/a/shop-front', newTag: '7' },
    ])
    const front = cluster.workloads.find(({ metadata }) => metadata.name === 'front')
    expect(front?.spec.template.spec.containers[0].env).toEqual(
      expect.arrayContaining([
        { name: 'SHOP_DB', valueFrom: { secretKeyRef: { name: 'front-env', key: 'SHOP_DB' } } },
        { name: 'LANG', valueFrom: { secretKeyRef: { name: 'front-env', key: 'LANG', optional: true } } },
      ]),
    )
    const { next } = await writeKubernetes(deployment, letters)
    expect(next).toEqual([
      'msvc deploy image msvc.tar --tag registry.example/a/msvc:7 && docker load -i msvc.tar && docker push registry.example/a/msvc:7',
      'docker build -f front.Dockerfile -t registry.example/a/shop-front:7 ../.. && docker push registry.example/a/shop-front:7',
      'kubectl apply -k .',
      'kubectl -n shop create secret generic front-env --from-literal=SHOP_DB=…',
      'kubectl -n shop rollout status deploy/config-server --timeout=5m',
      'kubectl -n shop exec -i deploy/config-server -- msvc config set front API_KEY - --secret < API_KEY',
      'kubectl -n shop wait --for=condition=Available deployment --all --timeout=5m',
      'kubectl -n shop exec deploy/gateway -- msvc token --subject me --scope users:write',
      'kubectl -n shop port-forward svc/gateway 8000   # then http://localhost:8000',
    ])
  })

  it.each(['default', 'kube-system'])(
    "has a namespace of its own in a folder called as Kubernetes' own %s",
    async (name) => {
      const { objects } = (await written({ ...(await deploymentOf()), name })).cluster
      const namespaces = objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name)
      expect(namespaces).toEqual([`msvc-${name}`])
    },
  )

  it('refuses a service that begins with a digit, as no Service may', async () => {
    const deployment = await deploymentOf({ file: 'services: { 1st: { run: ./run } }\n' })
    await expect(writeKubernetes(deployment, letters)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^services\.1st: the name of a Service of Kubernetes begins with a letter/),
    })
  })

  it('stays valid whatever services, replicas and roles there are', async () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/),
      fc.constantFrom('namespace', 'network', 'kustomization', 'dns', 'default-deny', 'default', 'config', 'secrets'),
    )
    const service = fc.record({
      port: fc.option(fc.integer({ min: 7_100, max: 7_900 }), { nil: undefined }),
      ready: fc.constantFrom('tcp', 'none', 'http /ok', 'log up', 'exec ./ready'),
      replicas: fc.integer({ min: 1, max: 3 }),
    })
    const base = await deploymentOf({ file: SHOP, folders: ['front', 'mailer'] })
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, service, { maxKeys: 4 }),
        fc.integer({ min: 1, max: 5 }),
        async (given, replicas) => {
          const roles = new Set([...base.roles.map((role) => role.name), 'postgres', 'redis', 'nats'])
          const names = Object.keys(given).filter(
            (each) => !roles.has(each) && !['front', 'mailer', 'outbound', 'dashboard'].includes(each),
          )
          const lines = names.map((each, index) => {
            const { port, ready, replicas: count } = given[each] ?? {}
            const at =
              port === undefined || ready === 'none' || (count ?? 1) > 1 ? '' : `port: ${port + index * 1_000}, `
            return `  ${each}: { run: ./run, dir: ., ${at}ready: ${ready}, replicas: ${count} }\n`
          })
          const deployment = await deploymentOf({
            file: names.length > 0 ? `services:\n${lines.join('')}` : 'log: { level: INFO }\n',
            scale: { gateway: replicas },
          })
          const { faults } = await written(deployment)
          expect(faults).toEqual([])
        },
      ),
      { numRuns: 15 },
    )
  })
})

it('knows the ports of a server that runs elsewhere', () => {
  expect(outsidePorts('postgres', 'postgres://a:b@db/shop')).toEqual([5432])
  expect(outsidePorts('postgres', 'postgres://a:1@db:6432/shop?x=:1')).toEqual([6432])
  expect(outsidePorts('redis', 'redis+cluster://:pw@a:7000,b:7001,c')).toEqual([7000, 7001, 6379])
})
