// What executable.ts puts into the executable, and the end-to-end tests run with node: src/main.ts and all it imports as CommonJS bundles, with
// what V8 has compiled of them.
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Script } from 'node:vm'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { UP_ROLE_NAMES } from '../src/roles/catalog.ts'
import { READABLE, resolutions } from './bundling.ts'

const root = join(import.meta.dirname, '..')

/** A program made of the sources: paths of its files. */
export interface CompiledProgram {
  /** Bundles, and under `compiled-…` what V8 has compiled of the program, by the name that `loader` asks for. */
  readonly assets: Readonly<Record<string, string>>
  /** The files that went in. */
  readonly inputs: readonly string[]
}

/** What talks to servers: a bundle of its own, which a process without one neither reads nor holds in memory (700 KB each). */
const CLIENTS = ['pg', 'ioredis', '@nats-io/jetstream', '@nats-io/transport-node']

const clientsApart: Plugin = {
  name: 'clients apart',
  setup({ onResolve }) {
    const filter = new RegExp(`^(?:${CLIENTS.join('|')})$`)
    onResolve({ filter }, ({ path }) => ({ path: `client:${path}`, external: true }))
  },
}

/** Bundles into one script; gives the files that went in. */
async function bundle(outfile: string, { plugins = [], ...of }: BuildOptions): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    ...of,
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    define: { 'import.meta.main': 'true', 'import.meta.filename': '__filename' },
    // A function of what Node gives to a module, for the loader to call.
    banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
    footer: { js: '})' },
    ...READABLE,
    metafile: true,
    logLevel: 'warning',
    plugins: [...plugins, resolutions(root)],
  })
  return Object.keys(metafile.inputs)
}

const bundleProgram = (outfile: string) => bundle(outfile, { entryPoints: ['src/main.ts'], plugins: [clientsApart] })

/** Each is run once it is asked for. */
function bundleClients(outfile: string) {
  const contents = `module.exports = {${CLIENTS.map((name) => `'${name}': () => require('${name}')`).join()}}`
  return bundle(outfile, { stdin: { contents, resolveDir: root } })
}

/** What is started once while the program is made: each is a command line, kept when it says that it is ready, or ends. */
type Rehearsals = readonly (readonly [name: string, args: readonly string[]])[]

/** A service of a user's, in one line. */
const WAITER =
  "require('node:http').createServer((_, answer) => answer.end()).listen(process.env.PORT, process.env.HOST)"

/** Several that run one after the other, then those of a role each, which find what the others have left. */
async function rehearsals(folder: string): Promise<readonly [Rehearsals, Rehearsals]> {
  // with users' services it is one more that `up` starts
  const roles = [...UP_ROLE_NAMES, 'outbound']
  const config = join(folder, 'free-ports.yaml')
  const listening = roles.map((role) => `${role}: { port: 0 }\n`).join('')
  await writeFile(config, listening)
  const data = ['--data', join(folder, 'data')]
  const common = ['--config', config, ...data]
  const run = JSON.stringify([process.execPath, '--eval', WAITER])
  const serving = join(folder, 'serving.yaml')
  await writeFile(
    serving,
    `${listening}services: { waiter: { run: ${run}, route: { path: /waiter, methods: { GET: public } } } }\n`,
  )
  const first: Rehearsals = [
    ['help', ['--version']],
    ['command', ['check', ...common]],
    ['platform', ['up', '--in-process', '--json', '--quiet', '--config', serving, ...data]],
  ]
  return [first, roles.map((role) => [role, ['serve', role, '--json', ...common]])]
}

/** Nothing of the builder's own: REGISTRY_URL would have the rehearsed roles join a platform of his. */
function rehearsalEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, SystemRoot } = process.env
  return { PATH, HOME, TMPDIR, SystemRoot, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' }
}

/** How long one may take beside the others on a busy machine, milliseconds. */
const REHEARSAL_MS = 60_000

/** Runs a command line once in a process of its own, then keeps what V8 has compiled by then. */
const COMPILER = `
const { readFileSync, writeFileSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { Script } = require('node:vm')
const [, , source, compiled, ...args] = process.argv
const program = new Script(readFileSync(source, 'latin1'), { filename: 'msvc.cjs' })
const keep = () => {
  // what main.ts sets: the engine takes what was compiled under its own flags alone
  setFlagsFromString('--heap-growing-percent=0')
  writeFileSync(compiled, program.createCachedData())
}
keep()
process.argv = [process.execPath, 'msvc', ...args]
process.on('exit', keep)
process.stdout.write = (text, done) => {
  if (typeof done === 'function') done()
  if (/^\\{"(?:ready|role)":/.test(text)) process.exit(0)
}
program.runInThisContext()(exports, require, module, __filename, __dirname)
`

/**
 * Compiles the bundle, which saves each process a third of its start. Where the roles can't be started, such as in a sandbox without
 * a network, only the outermost functions come compiled.
 */
async function compile(compiler: string, source: string, compiled: string, args: readonly string[]): Promise<void> {
  const options = { timeout: REHEARSAL_MS, env: rehearsalEnvironment() }
  await promisify(execFile)(process.execPath, [compiler, source, compiled, ...args], options).catch(({ stderr }) =>
    process.stderr.write(
      `msvc: ${args.slice(0, 2).join(' ')} could not be run to compile it; the program will start slower\n${stderr}\n`,
    ),
  )
  const { cachedDataRejected } = new Script(await readFile(source, 'latin1'), { cachedData: await readFile(compiled) })
  if (cachedDataRejected)
    throw new Error('the engine does not take what was compiled: was a flag of it changed meanwhile?')
}

/**
 * Makes the program of the sources. V8 has compiled what each kind of process needs and nothing else: one takes as long to load 2 MB of
 * compiled functions as to start node.
 * @param folder where its files go, which exists
 * @throws what esbuild throws, which has said it on stderr; an Error when V8 does not take what it has compiled
 */
export async function makeProgram(folder: string): Promise<CompiledProgram> {
  const program = join(folder, 'program.cjs')
  const clients = join(folder, 'clients.cjs')
  const inputs = [...(await bundleProgram(program)), ...(await bundleClients(clients))]
  const compiler = join(folder, 'compiler.cjs')
  await writeFile(compiler, COMPILER)
  const compiled: Record<string, string> = {}
  const rehearse = async ([name, args]: Rehearsals[number]) => {
    compiled[name] = join(folder, `compiled-${name}`)
    await compile(compiler, program, compiled[name], args)
  }
  const [first, serving] = await rehearsals(folder)
  for (const each of first) await rehearse(each)
  await Promise.all(serving.map(rehearse))
  return { assets: { program, clients, ...compiled }, inputs }
}

/**
 * The main of a program, a CommonJS script: runs the bundle, whose functions come compiled.
 * @param asset what the script finds one with: an expression, a function from the name of an asset to its bytes
 */
export function loader({ assets }: CompiledProgram, asset: string): string {
  return `
const { Script } = require('node:vm')
const asset = ${asset}
const [, , command = '--help', role] = process.argv
const rehearsed = command === 'serve' && ${JSON.stringify(Object.keys(assets))}.includes(role) ? role
  : command === 'up' ? 'platform'
  : command.startsWith('-') ? 'help' : 'command'
const run = (name, required, into, cachedData) => {
  const script = new Script(asset(name).latin1Slice(), { filename: name === 'program' ? 'msvc.cjs' : \`msvc-\${name}.cjs\`, cachedData })
  script.runInThisContext()(into.exports, required, into, __filename, __dirname)
  return into.exports
}
let clients
const requireAny = (name) => {
  if (!name.startsWith('client:')) return require(name)
  clients ??= run('clients', require, { exports: {} })
  return clients[name.slice('client:'.length)]()
}
run('program', requireAny, module, asset(rehearsed))
`
}
