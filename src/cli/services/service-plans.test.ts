import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadConfiguration } from '../../kit/config/load.ts'
import { loadRoles } from '../../roles/catalog.ts'
import { planUnits, type Wish } from '../plan/plan.ts'
import { outboundPlan } from './doors.ts'
import { planServices } from './service-plans.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-plans-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(
  join(folder, 'msvc.yaml'),
  `services:
  mail: http://10.0.0.7:25
  shop: { run: x, replicas: 2, port: 7001, calls: { user-service: { timeout_ms: 100 } }, needs: [user] }
  till: { run: x, calls: direct, receives: { 'shop.sold': { to: /sold } } }
  job: { run: x, ready: none, secrets: [KEY] }
`,
)
const ports = new Map<string, number>()
const portOf = async (name: string) => {
  const port = ports.get(name) ?? 20_000 + ports.size
  ports.set(name, port)
  return port
}

async function plan(wish: Partial<Wish> = {}, environment: Readonly<Record<string, string>> = {}) {
  const roles = await loadRoles()
  const configured = {
    roles,
    ...(await loadConfiguration({ roles, together: [], file: 'msvc.yaml', folder, environment })),
  }
  const whole = { scale: new Map(), portOffset: 0, ...wish }
  const planned = { wish: whole, configured, roles: planUnits(configured, whole), pending: [] }
  const services = await planServices({ planned, environment: {}, portOf })
  return { ...services, outbound: outboundPlan(planned, services.doors) }
}

it('gives the first replica its port and others free ones, and what each needs besides', async () => {
  const { replicas } = await plan()
  expect(replicas.map(({ unit, place, needs }) => [unit, place?.port, needs])).toEqual([
    ['shop', 7001, ['user', 'registry', 'outbound']],
    ['shop-2', ports.get('shop-2'), ['user', 'registry', 'outbound']],
    ['till', ports.get('till'), ['registry']],
    ['job', undefined, ['outbound', 'config-server']],
  ])
})

it('has calls go by doors, to what runs elsewhere too, and direct ones to an address', async () => {
  const { replicas, doors, outbound } = await plan()
  const [shop, , till] = replicas
  const url = (name: string) => `http://127.0.0.1:${ports.get(name)}`
  expect(shop?.env).toMatchObject({
    USER_SERVICE_URL: url('shop->user-service'),
    TILL_URL: url('shop->till'),
    MAIL_URL: url('shop->mail'),
    SHOP_URL: 'http://127.0.0.1:7001',
    REGISTRY_URL: 'http://127.0.0.1:8500',
    GATEWAY_URL: 'http://127.0.0.1:8000',
  })
  expect(till?.env).toMatchObject({ USER_SERVICE_URL: 'http://127.0.0.1:8001', MAIL_URL: 'http://10.0.0.7:25' })
  expect(doors).toContainEqual({
    caller: 'shop',
    upstream: 'user-service',
    timeout_ms: 100,
    port: ports.get('shop->user-service'),
  })
  expect(outbound).toMatchObject([{ unit: 'outbound', needs: ['registry'], job: { section: { port: 8400, doors } } }])
})

it('has messages delivered by a door', async () => {
  const { receipts } = await plan()
  expect(receipts).toEqual([
    {
      service: 'till',
      topic: 'shop.sold',
      url: `http://127.0.0.1:${ports.get('broker->till')}/sold`,
      maxDeliver: undefined,
      ackWait: undefined,
    },
  ])
})

it('runs what is wished for alone, as often as is wished', async () => {
  const { replicas } = await plan({ only: ['registry', 'till'], scale: new Map([['till', 3]]) })
  expect(replicas.map(({ unit }) => unit)).toEqual(['till', 'till-2', 'till-3'])
})

it('has services away from their platform find all others at its registry, and the broker find them there', async () => {
  const away = { MSVC_AUTH_MODE: 'token', MSVC_UP_HOST: '0.0.0.0', REGISTRY_URL: 'http://registry:8500' }
  const { replicas, doors, receipts, outbound } = await plan({ only: ['shop', 'till'] }, away)
  expect(replicas[0]?.place).toEqual({ host: '0.0.0.0', port: 7001 })
  expect(replicas[0]?.env).toMatchObject({
    REGISTRY_URL: 'http://registry:8500',
    USER_SERVICE_URL: `http://127.0.0.1:${ports.get('shop->user-service')}`,
    JOB_URL: `http://127.0.0.1:${ports.get('shop->job')}`,
  })
  expect(doors.filter(({ caller }) => caller === 'broker')).toEqual([])
  expect(receipts).toMatchObject([{ service: 'till', url: 'service://till/sold' }])
  expect(outbound).toMatchObject([{ job: { registryUrl: 'http://registry:8500' } }])
})
