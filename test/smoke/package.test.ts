import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { ServiceList } from '../../src/roles/registry/contract.ts'
import { type Copy, copyExecutable, type Platform, startPlatform, until } from './executable.ts'
import { createOutsideProject, type OutsideProject, type StartedProgram } from './outside-project.ts'

const Found = z.object({ entries: z.array(z.object({ service: z.string(), message: z.string() })) })
const Trace = z.object({ spans: z.array(z.object({ service: z.string(), operation: z.string() })) })

let project: OutsideProject
let copy: Copy
beforeAll(async () => {
  project = await createOutsideProject()
  copy = await copyExecutable()
}, 300_000)
afterAll(() => {
  project?.remove()
  copy?.remove()
})

const json = async (url: string, init?: RequestInit) => (await fetch(url, init)).json()
const instancesOf = async (platform: Platform) =>
  ServiceList.parse(await json(`${platform.url('registry')}/registry/services`)).services
const entriesOf = async (platform: Platform, query: string) =>
  Found.parse(await json(`${platform.url('log-server')}/logs?${query}`)).entries

describe('the package, installed elsewhere', () => {
  it('has the programs of its page', () => {
    expect(project.programs).toEqual([
      'catalog.ts',
      'products.ts',
      'stock.ts',
      'shelf.ts',
      'front.ts',
      'products.test.ts',
    ])
  })

  it('has types that a strict compiler takes, its own files included', async () => {
    const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
    expect(await project.node(compiler, '-p', project.folder)).toBe('')
  }, 120_000)

  it('offers what src/package.ts lists, and tells nothing of where it was made', async () => {
    const offered = await import('../../src/package.ts')
    const names = await project.node('--eval', "import('msvc').then((m) => console.log(Object.keys(m).sort().join()))")
    expect(names.trim()).toBe(Object.keys(offered).sort().join())
    const root = join(import.meta.dirname, '../..')
    const search = `const { readdirSync, readFileSync } = require('node:fs')
      for (const file of readdirSync('node_modules/msvc', { recursive: true, withFileTypes: true }))
        if (file.isFile() && readFileSync(file.parentPath + '/' + file.name, 'utf8').includes(${JSON.stringify(root)}))
          console.log(file.name)`
    expect(await project.node('--eval', search)).toBe('')
  })

  it('lets a service be tested without a platform', async () => {
    expect(await project.node('--test', 'products.test.ts')).toMatch(/pass 1\b/)
  })

  it('says in a line for each what is wrong with its environment, and ends with 2', async () => {
    const starting = project.start('catalog.ts', { PORT: '80000', LOG_LEVEL: 'loud' })
    await expect(starting).rejects.toThrow(/catalog\.ts: 2\nerror: catalog: LOG_LEVEL: .*\n {2}PORT: .*got 80000\n$/)
  })
})

describe('services of the package beside a platform', () => {
  let platform: Platform
  let services: Readonly<Record<'catalog' | 'stock' | 'shelf' | 'front', StartedProgram>>
  const registered = async () =>
    (await instancesOf(platform)).flatMap(({ service_name, healthy }) => (healthy > 0 ? [service_name] : []))
  const trace = async (id: string | null) => Trace.parse(await json(`${platform.url('log-server')}/traces/${id}`))

  beforeAll(async () => {
    platform = await startPlatform(copy)
    const environment = { REGISTRY_URL: platform.url('registry') }
    const [catalog, stock, shelf, front] = await Promise.all(
      ['catalog.ts', 'stock.ts', 'shelf.ts', 'front.ts'].map((program) => project.start(program, environment)),
    )
    if (!catalog || !stock || !shelf || !front) throw new Error('four were started')
    services = { catalog, stock, shelf, front }
  }, 300_000)
  afterAll(() => platform?.end('SIGKILL'))

  it('are registered, and answer', async () => {
    await until(registered, (found) => ['catalog', 'stock', 'shelf', 'front'].every((name) => found.includes(name)))
    const answer = await fetch(`${services.catalog.url}/products`)
    expect(await answer.json()).toEqual([{ id: 7, name: 'Laptop' }])
    const query = `service=catalog&trace_id=${answer.headers.get('x-trace-id')}`
    await until(
      () => entriesOf(platform, query),
      (entries) => entries.some(({ message }) => message.includes('GET /products')),
    )
    const { spans } = await until(
      () => trace(answer.headers.get('x-trace-id')),
      (found) => found.spans.length > 0,
    )
    expect(spans).toEqual([expect.objectContaining({ service: 'catalog', operation: 'GET /products' })])
  })

  it('send events by the outbox, and handle them once', async () => {
    const body = JSON.stringify({ product_id: 7, left: 2 })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${services.stock.url}/stock`, { method: 'POST', headers, body })
    expect(answer.status).toBe(201)
    const news = await until(
      () => json(`${services.shelf.url}/news`),
      (found) => Array.isArray(found) && found.length > 0,
    )
    expect(news).toEqual([{ product_id: 7, left: 2 }])
    // each sends its spans when it likes: who sent none yet is waited for
    const traced = await until(
      async () => new Set((await trace(answer.headers.get('x-trace-id'))).spans.map(({ service }) => service)),
      (found) => found.size >= 3,
    )
    expect(traced).toEqual(new Set(['stock', 'broker', 'shelf']))
  })

  it('call each other by name, and go by the config server', async () => {
    const page = () => json(`${services.front.url}/pages/7`)
    expect(await until(page, (found) => 'left' in Object(found))).toEqual({ greeting: 'Welcome', left: 2, hurry: true })
    await copy.run('config', 'set', 'front', 'few', '1')
    await until(page, (found) => Object(found).hurry === false)
    const answer = await fetch(`${services.front.url}/pages/7`)
    const { spans } = await until(
      () => trace(answer.headers.get('x-trace-id')),
      (found) => found.spans.length >= 3,
    )
    // those of one millisecond come in any order
    expect(spans.map(({ service, operation }) => `${service} ${operation}`).sort()).toEqual([
      'front GET /pages/:id',
      'front GET stock',
      'stock GET /stock/:id',
    ])
  })

  it('leave the registry and end with 0 on SIGTERM', async () => {
    const codes = await Promise.all(Object.values(services).map((service) => service.end('SIGTERM')))
    expect(codes).toEqual([0, 0, 0, 0])
    expect(await registered()).not.toContain('front')
  })
})

describe('a service of the package that msvc up runs', () => {
  let platform: Platform
  beforeAll(async () => {
    const run = JSON.stringify([process.execPath, 'catalog.ts'])
    const more = `services:\n  catalog: { run: ${run}, dir: ${JSON.stringify(project.folder)}, ready: http /health }\n`
    platform = await startPlatform({ ...copy, more }, '--data', 'kept')
  })
  afterAll(() => platform?.end('SIGKILL'))

  it('is registered once, and tells the log server everything once', async () => {
    const { url } = await until(
      async () => (await instancesOf(platform)).find(({ service_name }) => service_name === 'catalog')?.instances[0],
      (found) => found !== undefined,
    ).then((found) => found ?? { url: '' })
    const answer = await fetch(`${url}/products`)
    const query = `service=catalog&trace_id=${answer.headers.get('x-trace-id')}`
    await until(
      () => entriesOf(platform, query),
      (entries) => entries.length > 0,
    )
    const messages = await until(
      async () => (await entriesOf(platform, 'service=catalog')).map(({ message }) => message),
      (all) => all.includes('the shelves are full'),
    )
    expect(messages.filter((message) => message === 'the shelves are full')).toHaveLength(1)
    expect(await entriesOf(platform, query)).toHaveLength(1)
    const services = await instancesOf(platform)
    expect(services.find(({ service_name }) => service_name === 'catalog')).toMatchObject({ total: 1, healthy: 1 })
  })

  it('stops with the platform', async () => {
    expect(await platform.end('SIGTERM')).toMatchObject({ code: 0 })
  })
})
