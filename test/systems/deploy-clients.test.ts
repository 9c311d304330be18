import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import * as z from 'zod'
import { readComposition } from '../../src/cli/deploy/testing/compose-rules.ts'
import { start } from '../e2e/command-line.ts'
import { unpackFromTrixie } from './trixie.ts'

const run = promisify(execFile)
const isPossible = process.getuid?.() === 0 && !spawnSync('apt-get', ['--version']).error

/** Names and values that a careless writer of YAML would break on, or take for something of his own. */
const NASTY = `auth: { hosts: ["shop.example.com"] }
environment: "yes"
store: "postgres://app:p'w$x%20%23@db.example/shop"
services:
  "true": { run: ./run, dir: "it's $HOME/\${x}", port: 7001, ready: "http /a?b=c", env: { DB: "\${SHOP_DB}", GREETING: "\${HELLO:-a: 'b' #c $d}" } }
  "null": { run: 'node "main.mjs" --x={a}', dir: "ü, {b}: [c]", build: 'echo "$PATH" # all' }
  network: { run: ./run, ready: none }
  namespace: { run: ./run, ready: none }
  kustomization: { run: ./run, port: 7002, replicas: 1, secrets: [API_KEY] }
  dns: { run: ./run, receives: { order.created: { to: /created } } }
  default-deny: { run: ./run, replicas: 3, needs: [dns, network] }
  e3: { run: ./run }
  x-front: { run: ./run, stop: { grace_ms: 1 } }
`
/** The services of it. */
const OWN = ['true', 'null', 'network', 'namespace', 'kustomization', 'dns', 'default-deny', 'e3', 'x-front']
const PROJECT = 'shop'
const Resolved = z.object({
  name: z.string(),
  services: z.record(
    z.string(),
    z.looseObject({
      image: z.string(),
      environment: z.record(z.string(), z.string().nullable()).default({}),
      build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
    }),
  ),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
})
const Thing = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
})

let folder: string
let programs: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-clients-'))
  if (isPossible) programs = await unpackFromTrixie(join(folder, 'trixie'), ['docker-compose', 'kubectl'])
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(!isPossible)('the programs that read what deploy writes', () => {
  const home = (file: string | undefined) => {
    const place = join(mkdtempSync(join(folder, 'place-')), PROJECT)
    mkdirSync(place)
    if (file !== undefined) writeFileSync(join(place, 'msvc.yaml'), file)
    for (const name of ["it's $HOME/${x}", 'ü, {b}: [c]']) mkdirSync(join(place, name), { recursive: true })
    return place
  }
  const deploy = async (place: string, ...words: readonly string[]) => {
    const { code, err } = await start(place, 'deploy', ...words).ended
    expect(code, err).toBe(0)
  }

  it.each([
    ['the defaults', undefined],
    ['a file that means harm', NASTY],
  ])('docker compose takes compose.yaml of %s as it is meant', async (_, file) => {
    const place = home(file)
    await deploy(place, 'compose')
    const path = join(place, 'deploy/compose/compose.yaml')
    const compose = join(programs, 'usr/libexec/docker/cli-plugins/docker-compose')
    const env = { PATH: process.env.PATH, SHOP_DB: "it's $1" }
    const config = (variables: NodeJS.ProcessEnv) =>
      run(compose, ['-f', path, 'config', '--format', 'json'], { env: variables })
    const { stdout, stderr } = await config(env)
    expect(stderr).toBe('')
    const taken = Resolved.parse(JSON.parse(stdout))
    const meant = readComposition(readFileSync(path, 'utf8'))
    expect(Object.keys(taken.services).sort()).toEqual(Object.keys(meant.services).sort())
    for (const [name, { secrets, environment, depends_on: needs }] of Object.entries(meant.services)) {
      const service = taken.services[name]
      expect(Object.keys(Object(service?.depends_on)).sort(), name).toEqual(Object.keys(needs).sort())
      expect(Object.keys(service?.environment ?? {}).sort(), name).toEqual(Object.keys(environment).sort())
      expect(JSON.stringify(service?.secrets ?? []), name).toBe(
        JSON.stringify(secrets.map((source) => ({ source, target: `/run/secrets/${source}` }))),
      )
    }
    for (const { file: secret } of Object.values(taken.secrets)) expect(readFileSync(secret, 'utf8')).not.toBe('')
    for (const { build } of Object.values(taken.services))
      if (build) expect(readFileSync(join(build.context, build.dockerfile), 'utf8')).toContain('FROM ')
    if (file === undefined) return
    // config doubles each $, so that what it prints can be read again
    expect(taken.services.true?.environment).toMatchObject({ SHOP_DB: "it's $$1", HELLO: '' })
    await expect(config({ PATH: env.PATH })).rejects.toThrow('SHOP_DB is missing a value: set it in .env')
    expect(taken.services.user?.environment.MSVC_ENVIRONMENT).toBe('yes')
    expect(taken.services.user?.environment.MSVC_AUTH_HOSTS).toMatch(/^shop\.example\.com,/)
  })

  it.each([
    ['the defaults', undefined],
    ['a file that means harm', NASTY],
  ])('kubectl takes the kustomization of %s as it is meant', async (_, file) => {
    const place = home(file)
    await deploy(place, 'kubernetes', '--image', 'localhost:5000/shop/msvc:7')
    const kubectl = join(programs, 'usr/bin/kubectl')
    const { stdout, stderr } = await run(kubectl, ['kustomize', 'deploy/kubernetes'], { cwd: place })
    expect(stderr).toBe('')
    const things = parseAllDocuments(stdout).map((document) => Thing.parse(document.toJS()))
    const names = things.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
    const images = new Set([...stdout.matchAll(/ image: (\S+)/g)].map(([, image]) => image))
    const others = file === undefined ? [] : OWN.map((name) => `${PROJECT}-${name}`)
    expect([...images].filter((image) => image?.startsWith('localhost')).sort()).toEqual(
      ['msvc', ...others].map((name) => `localhost:5000/shop/${name}:7`).sort(),
    )
    const deny = things.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'default.deny')
    expect(deny?.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
    expect(names.filter((name) => name.startsWith('Namespace '))).toHaveLength(1)
  })
})
