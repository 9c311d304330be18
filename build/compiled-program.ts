// What executable.ts puts into the executable, and the end-to-end tests run with node: src/main.ts and all it imports as CommonJS bundles, with
// what V8 has compiled of them.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { UP_ROLE_NAMES } from '../src/roles/catalog.ts'
import { READABLE, resolutions } from './bundling.ts'

const root = join(import.meta.dirname, '..')

/** A program made of the sources: paths of its files. */
export interface Program {
  /** Bundles, and what V8 has compiled of the program for each kind of process, by the name that `loader` asks for. */
  readonly assets: Readonly<Record<string, string>>
  /** The files that went in, from the repository's folder. */
  readonly inputs: readonly string[]
}

/** How a program is run to compile it: V8 takes what was compiled by its own version for its own kind of processor alone. */
export interface Engine {
  /** Node, behind what emulates its processor. */
  readonly command: readonly [program: string, ...args: string[]]
  /** How long one start may take beside the others on a busy machine, milliseconds. */
  readonly patience: number
}

/** The Node that runs this. */
const OWN: Engine = { command: [process.execPath], patience: 60_000 }

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
    // a script has no import(): what it would load late, Node's own modules too, comes by the loader's require
    supported: { 'dynamic-import': false },
    define: { 'import.meta.main': 'true', 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' },
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

const bundleProgram = (outfile: string, more: readonly Plugin[]) =>
  bundle(outfile, { entryPoints: ['src/main.ts'], plugins: [clientsApart, ...more] })

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
  const { PATH, HOME, TMPDIR, SystemRoot, QEMU_LD_PREFIX } = process.env
  const kept = { PATH, HOME, TMPDIR, SystemRoot, QEMU_LD_PREFIX }
  return { ...kept, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' }
}

/**
 * Of V8, for the rehearsals: what was compiled has the same bytes each time, as long as the same functions were. A hash seed of chance would be in all
 * of it, and functions are forgotten when the garbage collector has looked at them a few times.
 */
const STEADY = ['--hash-seed=1', '--no-flush-bytecode']

/** Runs a command line once in a process of its own, then keeps what V8 has compiled by then. */
const COMPILER = `
const { readFileSync, writeFileSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { Script } = require('node:vm')
const [, , source, compiled, ...args] = process.argv
const program = new Script(readFileSync(source, 'latin1'), { filename: 'msvc.cjs' })
const keep = () => {
  // the engine takes what was compiled under its own flags alone: as they were before main.ts, and without the rehearsal's
  for (const flag of ['--heap-growing-percent=0', '--hash-seed=0', '--flush-bytecode']) setFlagsFromString(flag)
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

/** Says whether V8 takes what was compiled: ends with 3 when it doesn't. */
const CHECKER = `
const { readFileSync } = require('node:fs')
const { Script } = require('node:vm')
const [, , source, ...compiled] = process.argv
const program = readFileSync(source, 'latin1')
for (const path of compiled)
  if (new Script(program, { cachedData: readFileSync(path) }).cachedDataRejected) process.exitCode = 3
`

/**
 * Compiles the bundle, which saves each process a third of its start. Where the roles can't be started, such as in a sandbox without
 * a network, only the outermost functions come compiled.
 */
async function compile(engine: Engine, args: readonly string[]): Promise<void> {
  const [program, ...before] = engine.command
  const options = { timeout: engine.patience, env: rehearsalEnvironment() }
  await promisify(execFile)(program, [...before, ...STEADY, ...args], options).catch(({ stderr }) =>
    process.stderr.write(
      `msvc: ${args.slice(3, 5).join(' ')} could not be run to compile it; the program will start slower\n${stderr}\n`,
    ),
  )
}

/** Has the engine look at what it has compiled. @throws Error when it doesn't take it */
async function check({ command: [program, ...before], patience }: Engine, args: readonly string[]): Promise<void> {
  await promisify(execFile)(program, [...before, ...args], { timeout: patience, env: rehearsalEnvironment() }).catch(
    (cause: unknown) => {
      throw new Error('the engine does not take what was compiled: was a flag of it changed meanwhile?', { cause })
    },
  )
}

/**
 * Makes the bundles of the sources.
 * @param folder where they go, which exists
 * @param more what reads some of the sources otherwise, as for a test's own version. Default: nothing does
 * @throws what esbuild throws, which has said it on stderr
 */
export async function makeBundles(folder: string, more: readonly Plugin[] = []): Promise<Program> {
  const program = join(folder, 'program.cjs')
  const clients = join(folder, 'clients.cjs')
  const inputs = [...(await bundleProgram(program, more)), ...(await bundleClients(clients))]
  return { assets: { program, clients }, inputs }
}

/**
 * Adds to bundles what V8 has compiled of them: what each kind of process needs and nothing else, as one takes as long to load 2 MB of compiled
 * functions as to start node.
 * @param folder where its files go, which exists
 * @throws Error when V8 does not take what it has compiled
 */
export async function compileProgram({ assets, inputs }: Program, folder: string, engine: Engine): Promise<Program> {
  const { program = '' } = assets
  const compiler = join(folder, 'compiler.cjs')
  const checker = join(folder, 'checker.cjs')
  await writeFile(compiler, COMPILER)
  await writeFile(checker, CHECKER)
  const compiled: Record<string, string> = {}
  const rehearse = async ([name, args]: Rehearsals[number]) => {
    compiled[name] = join(folder, `compiled-${name}`)
    await compile(engine, [compiler, program, compiled[name], ...args])
  }
  const [first, serving] = await rehearsals(folder)
  for (const each of first) await rehearse(each)
  await Promise.all(serving.map(rehearse))
  await check(engine, [checker, program, ...Object.values(compiled)])
  return { assets: { ...assets, ...compiled }, inputs }
}

/** Makes the program of the sources, compiled for this system. @param folder where its files go, which exists */
export async function makeProgram(folder: string): Promise<Program> {
  return compileProgram(await makeBundles(folder), folder, OWN)
}

/**
 * The main of a program, a CommonJS script: runs the bundle, whose functions come compiled.
 * @param asset what the script finds one with: an expression, a function from the name of an asset to its bytes
 */
export function loader({ assets }: Program, asset: string): string {
  const names = JSON.stringify(Object.keys(assets))
  return `
const { Script } = require('node:vm')
const asset = ${asset}
const [, , command = '--help', role] = process.argv
const rehearsed = command === 'serve' && ${names}.includes(role) ? role
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
run('program', requireAny, module, ${names}.includes(rehearsed) ? asset(rehearsed) : undefined)
`
}
