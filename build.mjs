// Makes dist/msvc: src/main.ts and all it imports as one CommonJS bundle, inside one executable that needs no Node.
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Script } from 'node:vm'
import { build } from 'esbuild'
import { notices, READABLE, resolutions } from './bundling.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))
const dist = join(root, 'dist')
// Two builds may run at the same time: each works in a folder of its own, and the last rename wins.
const work = join(dist, `build-${process.pid}`)
const executable = process.platform === 'win32' ? 'msvc.exe' : 'msvc'

/** Takes away the folders of builds that were ended half way. */
async function removeLeftBehind() {
  for (const name of await readdir(dist)) {
    const pid = /^build-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dist, name), { recursive: true, force: true })
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (fault) {
    return fault.code === 'EPERM'
  }
}

/** What talks to servers: a bundle of its own, which a process without one neither reads nor holds in memory (700 KB each). */
const CLIENTS = ['pg', 'ioredis', '@nats-io/jetstream', '@nats-io/transport-node']

/** @type {import('esbuild').Plugin} */
const clientsApart = {
  name: 'clients apart',
  setup({ onResolve }) {
    const filter = new RegExp(`^(?:${CLIENTS.join('|')})$`)
    onResolve({ filter }, ({ path }) => ({ path: `client:${path}`, external: true }))
  },
}

/** Bundles into one script; gives the files that went in. @param {import('esbuild').BuildOptions} of */
async function bundle(outfile, { plugins = [], ...of }) {
  const { metafile } = await build({
    absWorkingDir: root,
    ...of,
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    define: { 'import.meta.main': 'true', 'import.meta.filename': '""' },
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

const bundleProgram = (outfile) => bundle(outfile, { entryPoints: ['src/main.ts'], plugins: [clientsApart] })

/** Each is run once it is asked for. */
function bundleClients(outfile) {
  const contents = `module.exports = {${CLIENTS.map((name) => `'${name}': () => require('${name}')`).join()}}`
  return bundle(outfile, { stdin: { contents, resolveDir: root } })
}

/** Of the Node inside. */
const NODE_LICENCE = 'Node.js: https://github.com/nodejs/node/blob/main/LICENSE'

/**
 * What is started once while the executable is made, so that V8 has compiled what each needs and nothing else: a process takes as long to load 2 MB of
 * compiled functions as to start node. Each is a command line, kept when it says that it is ready, or ends.
 * @returns {Promise<Record<string, readonly string[]>>}
 */
async function rehearsals() {
  const { UP_ROLE_NAMES } = await import('./src/roles/catalog.ts')
  // with users' services it is one more that `up` starts
  const roles = [...UP_ROLE_NAMES, 'outbound']
  const config = join(work, 'free-ports.yaml')
  await writeFile(config, roles.map((role) => `${role}: { port: 0 }\n`).join(''))
  const common = ['--config', config, '--data', join(work, 'data')]
  const serving = roles.map((role) => [role, ['serve', role, '--json', ...common]])
  return {
    help: ['--version'],
    command: ['check', ...common],
    platform: ['up', '--in-process', '--json', '--quiet', ...common],
    ...Object.fromEntries(serving),
  }
}

/** The executable's own main: runs the bundle, whose functions come compiled. @param {readonly string[]} names of what was rehearsed */
const loader = (names) => `
const { Script } = require('node:vm')
const { getRawAsset } = require('node:sea')
const asset = (name) => Buffer.from(getRawAsset(name))
const [, , command = '--help', role] = process.argv
const rehearsed = command === 'serve' && ${JSON.stringify(names)}.includes(role) ? role
  : command === 'up' && process.argv.includes('--in-process') ? 'platform'
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

/** Nothing of the builder's own: REGISTRY_URL would have the rehearsed roles join a platform of his. */
const { PATH, HOME, TMPDIR, SystemRoot } = process.env
const REHEARSAL_ENVIRONMENT = { PATH, HOME, TMPDIR, SystemRoot, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' }

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
async function compile(source, compiled, args) {
  const script = join(work, 'compiler.cjs')
  await writeFile(script, COMPILER)
  const options = { timeout: 20_000, env: REHEARSAL_ENVIRONMENT }
  await promisify(execFile)(process.execPath, [script, source, compiled, ...args], options).catch(({ stderr }) =>
    console.error(
      `msvc: ${args.slice(0, 2).join(' ')} could not be run to compile it; the executable will start slower\n${stderr}`,
    ),
  )
  const { cachedDataRejected } = new Script(await readFile(source, 'latin1'), { cachedData: await readFile(compiled) })
  if (cachedDataRejected)
    throw new Error('the engine does not take what was compiled: was a flag of it changed meanwhile?')
}

/** Puts the bundles and the program's compiled functions, by what was rehearsed, into a copy of the Node that runs this script. */
async function embed(bundles, compiled, output) {
  const main = join(work, 'loader.cjs')
  const config = join(work, 'sea-config.json')
  const settings = {
    main,
    output,
    mainFormat: 'commonjs',
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    useSnapshot: false,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    assets: { ...bundles, ...compiled },
  }
  await writeFile(main, loader(Object.keys(compiled)))
  await writeFile(config, JSON.stringify(settings))
  await promisify(execFile)(process.execPath, ['--build-sea', config])
}

/**
 * Copies the executable in small writes. Linux caches a file in blocks as large as it was written, and maps them whole: written at one go,
 * each process holds 25 MB more of it in memory.
 */
async function rewrite(from, to) {
  await pipeline(createReadStream(from, { highWaterMark: 65_536 }), createWriteStream(to, { mode: 0o755 }))
}

async function run() {
  await mkdir(work, { recursive: true })
  await removeLeftBehind()
  const program = join(work, 'msvc.cjs')
  const clients = join(work, 'msvc-clients.cjs')
  const inputs = [...(await bundleProgram(program)), ...(await bundleClients(clients))]
  const compiled = {}
  for (const [name, args] of Object.entries(await rehearsals())) {
    compiled[name] = join(work, `compiled-${name}`)
    await compile(program, compiled[name], args)
  }
  await embed({ program, clients }, compiled, join(work, 'embedded'))
  await rewrite(join(work, 'embedded'), join(work, executable))
  await writeFile(join(dist, 'THIRD-PARTY-NOTICES.txt'), `${await notices(root, inputs, [NODE_LICENCE])}\n`)
  await rename(join(work, executable), join(dist, executable))
  const { size } = await stat(join(dist, executable))
  console.error(`msvc: dist/${executable} is ready (${Math.round(size / 1e6)} MB)`)
}

try {
  await run()
} catch (fault) {
  // esbuild has printed its own errors, with the lines they are about
  if (!fault.errors) console.error(fault)
  process.exitCode = 1
} finally {
  await rm(work, { recursive: true, force: true })
}
