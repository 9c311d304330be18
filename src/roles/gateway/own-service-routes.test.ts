import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfiguration } from '../../kit/config/load.ts'
import { ownServiceRoutes } from './own-service-routes.ts'
import { gateway } from './role.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-own-routes-'))
afterAll(() => rmSync(folder, { recursive: true }))

function load(yaml: string) {
  writeFileSync(join(folder, 'msvc.yaml'), yaml)
  return loadConfiguration({
    roles: [gateway],
    together: ['gateway'],
    file: 'msvc.yaml',
    folder,
    environment: {},
    runsServices: true,
    derive: ownServiceRoutes,
  })
}

it("a service's route joins the gateway's own", async () => {
  const { sections } = await load(
    `services:
  catalog:
    run: x
    route: { path: /catalog, methods: { GET: public, POST: [catalog:write] }, strip: true, limit: { per_second: 10, burst: 20 } }
`,
  )
  expect(sections.gateway).toMatchObject({
    routes: {
      users: { prefix: '/gateway/api/users' },
      catalog: {
        prefix: '/catalog',
        strip_prefix: '/catalog',
        upstream: 'catalog',
        methods: { GET: 'public', POST: ['catalog:write'] },
        write_limit: { per_second: 10, burst: 20 },
      },
    },
  })
})

describe("faults of a service's route, each with its line", () => {
  it.each([
    [
      'a bad path',
      'services:\n  catalog:\n    run: x\n    route: { path: catalog, methods: { GET: public } }',
      /^msvc.yaml:4: services.catalog.route: expected whole path segments/,
    ],
    [
      'one that another has',
      'services:\n  a: { run: x, route: { path: /a, methods: { GET: public } } }\n  b: { run: x, route: { path: /a, methods: { GET: token } } }',
      /^msvc.yaml:3: services.b.route: b and a both take GET \/a; give one of them another prefix or other methods, or make one null$/,
    ],
    [
      'one that is given at the gateway too',
      'services:\n  a: { run: x, route: { path: /a, methods: { GET: public } } }\ngateway: { routes: { a: { prefix: /b, upstream: a, methods: {} } } }',
      /^msvc.yaml:2: services.a.route: gateway.routes.a is given too; leave one of them out$/,
    ],
  ])('%s', async (_, yaml, message) => {
    await expect(load(yaml)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) })
  })
})
