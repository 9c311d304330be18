import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { commandsIn, type RunningPlatform } from './running-platform.ts'

/** Every program of the page, by its file's name. */
const page = readFileSync(join(import.meta.dirname, '../../docs/your-service.md'), 'utf8')
const programs = new Map(
  [...page.matchAll(/^<!-- run: (\S+) -->\n```\w+\n(.*?)^```$/gms)].map(([, name = '', text = '']) => [name, text]),
)

const has = (command: string, ...args: readonly string[]) => spawnSync(command, args).status === 0
const folder = mkdtempSync(join(tmpdir(), 'msvc-your-service-'))
const sources = join(folder, 'catalog')
/** Of the page's Java. */
const classes = join(folder, 'classes')
const LANGUAGES = [
  { language: 'Python', suffix: 'py', run: ['python3'], isThere: has('python3', '--version') },
  { language: 'Node', suffix: 'mjs', run: [process.execPath], isThere: true },
  { language: 'bash', suffix: 'sh', run: ['bash', '-eu'], isThere: has('bash', '-c', 'curl --version') },
  { language: 'Go', suffix: 'go', run: ['go', 'run'], isThere: has('go', 'version') },
  {
    language: 'Java',
    suffix: 'java',
    run: ['java', '-XX:TieredStopAtLevel=1', '-cp', classes],
    isThere: has('javac', '--version'),
  },
] as const
type Language = (typeof LANGUAGES)[number]
const HAS_PYJWT = has('python3', '-c', 'import jwt, cryptography')
/** What a compiler and two busy cores take at most. */
const TIMEOUT_MS = 180_000
const until = { timeout: TIMEOUT_MS, interval: 50 }

mkdirSync(sources)
for (const [name, text] of programs) writeFileSync(join(sources, name), text)

/** Beside the page's own catalog, the same in the other languages, one that shows what a service is told, and the lines of a shell script. */
const CATALOGS: readonly (readonly [string, string])[] = [
  ['catalog-node', `run: [${process.execPath}, catalog.mjs]`],
  ['catalog-go', 'build: go build -o catalog-go catalog.go, run: ./catalog-go'],
  ['catalog-java', 'run: java Catalog.java'],
]
const isThere = (name: string) =>
  LANGUAGES.some(({ language, isThere }) => isThere && name === `catalog-${language.toLowerCase()}`)
const catalogs = CATALOGS.filter(([name]) => isThere(name))
const RECEIVES = 'receives: { shop.sold: { to: /events/sold } }'
const more = catalogs.map(([name, run]) => {
  const route = `route: { path: /${name}, methods: { GET: public }, strip: true }`
  return `  ${name}: { ${run}, dir: ./catalog, ready: http /items, env: { GOCACHE: ${folder}/go }, ${route}, ${RECEIVES} }\n`
})
const { msvc, up } = commandsIn(
  folder,
  `${programs.get('msvc.yaml')}${more.join('')}
  probe: { run: env >probe.new && mv probe.new probe.env, ready: none, restart: never }
  lines: { run: bash catalog/lines.sh, ready: none, restart: never }
`,
)

async function compile(): Promise<void> {
  const files = [...programs.keys()].filter((name) => name.endsWith('.java'))
  await promisify(execFile)('javac', ['-d', classes, ...files], { cwd: sources })
}

let platform: RunningPlatform
/** What a service is told. */
let told: Readonly<Record<string, string>>
/** Tokens: of ann for the gateway, for a service and for another one, and a service's own. */
let tokens: readonly string[]
beforeAll(async () => {
  // all at once, in the time that the JVM takes to compile one of them whenever it is run
  const compiled = isThere('catalog-java') ? compile() : undefined
  ;[platform] = await Promise.all([up('data'), compiled])
  const ann = ['--subject', 'ann']
  const wanted = [
    ann,
    [...ann, '--audience', 'catalog'],
    [...ann, '--audience', 'user-service'],
    ['--service', 'shown'],
  ]
  tokens = await Promise.all(wanted.map(async (flags) => (await msvc('data', 'token', ...flags)).trim()))
  await put('/config/shown/development/KEY', 'sesame')
  expect(JSON.stringify(await ask('config-server', '/config/shown/development'))).not.toContain('sesame')
  writeFileSync(join(folder, 'shown.token'), tokens.at(-1) ?? '')
  const file = join(folder, 'probe.env')
  await vi.waitUntil(() => existsSync(file), until)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  told = { ...Object.fromEntries(lines.map((line) => line.split(/=(.*)/s))), GOCACHE: join(folder, 'go') }
}, 300_000)
afterAll(async () => {
  await platform?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** A program under way. */
interface Program extends AsyncDisposable {
  readonly out: () => string
  readonly ended: Promise<number | null>
}

/** Starts a program of the page as a service would run. */
function start(
  { suffix, run }: Language,
  idea: string,
  env: Readonly<Record<string, string>> = {},
  ...args: readonly string[]
): Program {
  const file = suffix === 'java' ? `${idea[0]?.toUpperCase()}${idea.slice(1)}` : `${idea}.${suffix}`
  const [command, ...flags] = run
  // a group of its own: a shell's children end with it
  const child: ChildProcess = spawn(command, [...flags, file, ...args], {
    cwd: sources,
    env: { ...told, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = once(child, 'close').then(([code]: (number | null)[]) => {
    if (code !== 0) out += err
    return code ?? null
  })
  return {
    out: () => out,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
      await ended
    },
  }
}

/** Runs one to its end; gives what it wrote. */
async function runs(language: Language, idea: string, env?: Readonly<Record<string, string>>, ...args: string[]) {
  await using program = start(language, idea, env, ...args)
  const code = await program.ended
  expect([code, program.out()]).toEqual([0, expect.stringMatching(/\S/)])
  return program.out()
}

async function ask(role: string, path: string, init?: RequestInit): Promise<unknown> {
  const answer = await fetch(new URL(path, platform.url(role)), init)
  return answer.ok ? answer.json() : undefined
}

const put = (path: string, value: unknown) =>
  ask('config-server', path, { method: 'PUT', body: JSON.stringify({ value, secret: path.endsWith('/KEY') }) })

const Entries = z.object({
  entries: z.array(z.looseObject({ service: z.string(), level: z.string(), message: z.string() })),
})
const entries = async (query: string) => Entries.parse(await ask('log-server', `/logs?${query}`)).entries
const Trace = z.object({ spans: z.array(z.object({ service: z.string(), operation: z.string() })) })
const spans = async (trace: string) => Trace.safeParse(await ask('log-server', `/traces/${trace}`)).data?.spans ?? []
const Subscriptions = z.object({
  subscriptions: z.array(z.object({ group: z.string().nullish(), pending: z.int(), leased: z.int() })),
})
const subscription = async (group: string) =>
  Subscriptions.parse(await ask('broker', '/broker/subscriptions')).subscriptions.find((each) => each.group === group)

it('finds the programs in the page, each of them in every language that can', () => {
  const ideas = ['call', 'publish', 'pull', 'config', 'log', 'span', 'ask', 'discover', 'register']
  const names = ideas.flatMap((idea) => ['py', 'mjs', 'go', 'sh'].map((suffix) => `${idea}.${suffix}`))
  expect([...programs.keys()]).toEqual(expect.arrayContaining(names))
  expect([...programs.keys()].filter((name) => name.endsWith('.java')).length).toBe(ideas.length + 2)
})

it.for([['catalog', ''], ...CATALOGS] as const)(
  'the service %s is told who asks',
  { timeout: TIMEOUT_MS },
  async ([name], { skip }) => {
    skip(name !== 'catalog' && !isThere(name), 'its language is not installed')
    const asked = (headers = {}) => ask('gateway', `/${name}/items`, { headers })
    await expect.poll(() => asked(), until).toEqual({ items: ['Laptop'], asked_by: 'nobody' })
    expect(await asked({ authorization: `Bearer ${tokens[0]}` })).toEqual({ items: ['Laptop'], asked_by: 'ann' })
  },
)

it('lines of a shell script are found by their trace', { timeout: TIMEOUT_MS }, async () => {
  const found = () => entries('trace_id=4bf92f3577b34da6a3ce929d0e0e4736')
  const entry = { service: 'lines', level: 'WARNING', message: 'till is nearly full', metadata: { coins: 490 } }
  await expect.poll(found, until).toEqual([expect.objectContaining(entry)])
})

// each test has its own expect: the common one doesn't know which of those that run beside each other it is called in
describe.each(LANGUAGES)('$language', { concurrent: true, timeout: TIMEOUT_MS }, (language) => {
  const { suffix, isThere } = language

  it.skipIf(!isThere)('calls another service, in a trace', async ({ expect }) => {
    const out = await runs(language, 'call')
    expect(out).toContain('john_doe')
    const of = async () => (await spans(out.slice(0, 32))).map(({ service }) => service)
    await expect.poll(of, until).toEqual(expect.arrayContaining(['outbound', 'user-service']))
  })

  it.skipIf(!isThere)('publishes, and every service receives', async ({ expect }) => {
    const out = await runs(language, 'publish')
    const id = /"id":"([^"]+)"/.exec(out)?.[1] ?? out.trim()
    const receivers = ['catalog', ...catalogs.map(([name]) => name)]
    const got = async () =>
      (await entries(`q=${id}`)).filter(({ message }) => message === 'sold 7').map(({ service }) => service)
    await expect.poll(got, until).toEqual(expect.arrayContaining(receivers))
  })

  it.skipIf(!isThere)('pulls and acknowledges', async ({ expect }) => {
    const group = `pull-${suffix}`
    await using program = start(language, 'pull', { SERVICE_NAME: group })
    await expect.poll(() => subscription(group), until).toBeDefined()
    const sold = await ask('broker', '/broker/publish/shop.sold', { method: 'POST', body: '{"item":8}' })
    const { id } = z.object({ id: z.string() }).parse(sold)
    await expect.poll(program.out, until).toContain(id)
    await expect.poll(() => subscription(group), until).toMatchObject({ pending: 0, leased: 0 })
  })

  it.skipIf(!isThere)('reads values, and those that change', async ({ expect }) => {
    const service = `config-${suffix}`
    const path = `/config/${service}/development/greeting`
    await put(path, 'hello')
    await using program = start(language, 'config', { SERVICE_NAME: service })
    await expect.poll(program.out, until).toContain('hello')
    await put(path, 'good evening')
    await expect.poll(program.out, until).toContain('good evening')
  })

  it.skipIf(!isThere)('posts log entries', async ({ expect }) => {
    expect(await runs(language, 'log', { SERVICE_NAME: `log-${suffix}` })).toContain('"accepted":1')
    const entry = expect.objectContaining({ level: 'INFO', message: 'shop is open' })
    await expect.poll(() => entries(`service=log-${suffix}`), until).toEqual([entry])
  })

  it.skipIf(!isThere)('sends a span', async ({ expect }) => {
    const trace = (await runs(language, 'span')).trim()
    const operation = suffix === 'sh' ? 'count the till' : 'GET /items'
    await expect.poll(() => spans(trace), until).toEqual([{ service: 'probe', operation }])
  })

  it.skipIf(!isThere)('shows its token', async ({ expect }) => {
    const env = { SERVICE_NAME: 'shown', MSVC_TOKEN_FILE: join(folder, 'shown.token') }
    expect(JSON.parse(await runs(language, 'ask', env))).toEqual({ KEY: 'sesame' })
  })

  it.skipIf(!isThere || suffix === 'sh' || (suffix === 'py' && !HAS_PYJWT))('checks a token', async ({ expect }) => {
    const [, good = '', forAnother = ''] = tokens
    const env = { SERVICE_NAME: 'catalog' }
    expect(await runs(language, 'check', env, good)).toBe('ann\n')
    for (const bad of [forAnother, `${good.slice(0, -8)}AAAAAAAA`]) {
      await using program = start(language, 'check', env, bad)
      expect([await program.ended, program.out().includes('ann\n')]).toEqual([1, false])
    }
  })

  it.skipIf(!isThere)('discovers', async ({ expect }) => {
    expect(await runs(language, 'discover')).toContain(platform.url('user'))
  })

  it.skipIf(!isThere)('registers by itself', async ({ expect }) => {
    const { port } = new URL(platform.url('user'))
    const me = { SERVICE_NAME: `register-${suffix}`, HOST: '127.0.0.1', PORT: port }
    await using _program = start(language, 'register', me)
    const found = () => ask('registry', `/registry/discover/register-${suffix}`)
    await expect.poll(found, until).toMatchObject({ url: platform.url('user') })
  })
})
