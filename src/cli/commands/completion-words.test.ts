import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadRoles } from '../../roles/catalog.ts'
import { createStateFile } from '../session/run-state.ts'
import { PLATFORM_SERVICES } from './completion-words.ts'
import { namesHere } from './names-here.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-names-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(
  join(folder, 'msvc.yaml'),
  'data: kept\nservices: { catalog: { run: x }, worker: { run: x }, mail: http://10.0.0.7 }\n',
)

it('knows the registered names of all roles', async () => {
  const services = (await loadRoles()).map(({ service }) => service)
  expect(PLATFORM_SERVICES).toEqual([...new Set(services)].toSorted())
})

it('finds services in the configuration, and what runs on its data folder', async () => {
  expect(await namesHere({ folder }, ['restart', ''])).toEqual({ units: [], services: ['catalog', 'worker'] })
  const file = await createStateFile(join(folder, 'kept'), (words) => expect.unreachable(words))
  const gateway = { unit: 'gateway', role: 'gateway', service: 'api-gateway', url: 'http://127.0.0.1:1' }
  file.save({
    pid: process.pid,
    environment: 'development',
    auth: { mode: 'local', issuer: 'msvc' },
    roles: [{ ...gateway, state: 'ready', pid: process.pid }],
    portless: [],
    starting: [],
    units: ['gateway', 'catalog', 'catalog-2', 'worker'],
  })
  await file.written()
  const there = { units: ['gateway', 'catalog', 'catalog-2', 'worker'] }
  expect(await namesHere({ folder }, ['restart', ''])).toEqual({
    ...there,
    services: ['catalog', 'worker', 'api-gateway'],
  })
  for (const words of [['--data', 'kept'], ['--data=kept']])
    expect(await namesHere({ folder }, ['--config', 'none.yaml', ...words, 'stop', ''])).toEqual({
      ...there,
      services: ['api-gateway'],
    })
  await file.remove()
})

it('finds nothing in what can not be read', async () => {
  writeFileSync(join(folder, 'broken.yaml'), ': [')
  for (const file of ['broken.yaml', '/dev/zero', '.'])
    expect(await namesHere({ folder }, ['--config', file, '--data', 'msvc.yaml'])).toEqual({ units: [], services: [] })
})
