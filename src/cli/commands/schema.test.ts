import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { fileSchema } from '../../kit/config/file-schema.ts'
import { loadRoles } from '../../roles/catalog.ts'

const schema = fileSchema(await loadRoles())
const check = new Ajv2020({ allErrors: true, allowUnionTypes: true, validateFormats: false }).compile(schema)
const faultsOf = (yaml: string) => (check(parse(yaml)) ? [] : (check.errors ?? []).map((fault) => fault.instancePath))

it('takes what is delivered, and the sample of a service', () => {
  for (const file of ['configs/msvc.yaml', 'configs/production.yaml'])
    expect(faultsOf(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'))).toEqual([])
  expect(
    faultsOf(`
registry:
gateway: { port: 8000, routes: { users: null, shop: { prefix: /shop, upstream: shop, methods: { GET: public } } } }
services:
  payment-service: http://10.0.0.5:8003
  catalog:
    run: python3 catalog.py
    dir: ./catalog
    env: { LOG_LEVEL: debug, WORKERS: 2 }
    port: 7001
    ready: http /health
    needs: [user, broker]
    replicas: 2
    watch: ["**/*.py"]
    build: [npm, run, build]
    route: { path: /catalog, methods: { GET: public, POST: [catalog:write] }, strip: true, limit: { per_second: 100, burst: 200 } }
    receives: { order.created: { to: /events/order, max_deliver: 5, ack_wait: 30 } }
    calls: { user-service: { timeout_ms: 2000, attempts: 2 } }
    secrets: [STRIPE_KEY]
    stop: { signal: SIGTERM, grace_ms: 10000 }
    restart: { when: always, budget: 5 }
`),
  ).toEqual([])
})

it.each([
  ['an unknown key', 'brokr: {}'],
  ['an unknown key of a role', 'gateway: { prot: 8000 }'],
  ['a port that there is not', 'user: { port: 80000 }'],
  ['a service without a command', 'services: { catalog: { port: 7001 } }'],
  ['an unknown key of a service', 'services: { catalog: { run: ./catalog, replica: 2 } }'],
  ['an unknown way to restart', 'services: { catalog: { run: ./catalog, restart: sometimes } }'],
])('refuses %s', (_, yaml) => {
  expect(faultsOf(yaml)).not.toEqual([])
})

it('describes what a service may say', () => {
  const text = JSON.stringify(schema)
  expect(text).toContain('Roles and services that must be ready before it starts.')
  expect(text).toContain('a line for the shell, or a list of words')
  expect(text).not.toContain('"expected"')
})
