// Makes dist/package, the kit for services outside of this repository, and dist/msvc-<version>.tgz of it: src/package.ts says what is in it.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { build, type Plugin } from 'esbuild'
import { notices, READABLE, resolutions } from './bundling.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const work = join(dist, `build-${process.pid}`)
const output = join(work, 'package')
const run = promisify(execFile)

/** Has what the kit takes from node: `randomUUIDv7` and `node:sqlite` without a flag. */
const NODE = '>=24.16'
/** Packages whose values cross the border between a service and the kit, which is why both must have the same copy. */
const PEERS = ['hono', 'kysely', 'zod']
/** What is not put into the bundle: values of these cross the border too, or most services never load them. All others are, since Node takes longer to find a hundred files than to run them. */
const APART = [...PEERS, 'prom-client', 'pg']

/** A service has the platform's broker and no cache: what these are kept in by the platform's own roles stays out. */
const LEFT_OUT = /[/\\]drivers[/\\](?:bus|cache)[/\\]open\.ts$/

const driversLeftOut: Plugin = {
  name: 'drivers left out',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\./ }, ({ importer, kind, path }) =>
      kind === 'dynamic-import' && LEFT_OUT.test(importer) ? { path, namespace: 'left-out' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `throw new Error('The package has no ${path}')`,
    }))
  },
}

/** Bundles the sources and packages; gives the packages that they import all the same, and the files that went in. */
async function bundle(): Promise<{ readonly imported: readonly string[]; readonly inputs: readonly string[] }> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { index: 'src/package.ts' },
    outdir: output,
    chunkNames: 'parts/[name]-[hash]',
    bundle: true,
    splitting: true,
    external: APART.flatMap((name) => [name, `${name}/*`]),
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // packages of the older kind ask for Node's modules by it
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)` },
    ...READABLE,
    metafile: true,
    logLevel: 'warning',
    plugins: [driversLeftOut, resolutions(root)],
  })
  const imports = Object.values(metafile.outputs).flatMap(({ imports }) => imports)
  const imported = imports.filter(({ external }) => external).map(({ path }) => path)
  return { imported, inputs: Object.keys(metafile.inputs) }
}

/** What the declarations begin with. */
const ENTRY = 'src/package.d.ts'
/** A module specifier in a declaration file, as the compiler writes them. */
const SPECIFIER = /(from |import\(|import )(['"])([^'"]+)\2/g

/** Writes the declarations that src/package.ts leads to; gives the packages that they import. */
async function declare(): Promise<readonly string[]> {
  const all = join(work, 'declarations')
  const config = join(work, 'tsconfig.json')
  const compilerOptions = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: root, outDir: all }
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [],
    files: [join(root, 'src/package.ts')],
  }
  await writeFile(config, JSON.stringify(settings))
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config])
  const seen = new Set<string>()
  const imported: string[] = []
  const follow = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const text = await readFile(join(all, path), 'utf8')
    for (const [, , , name = ''] of text.matchAll(SPECIFIER)) {
      if (name.startsWith('.')) await follow(join(dirname(path), name).replace(/\.ts$/, '.d.ts'))
      else imported.push(name)
    }
    const to = join(output, 'types', relative('src', path))
    await mkdir(dirname(to), { recursive: true })
    const emitted = text.replace(SPECIFIER, (whole) => whole.replace(/(\.[^'"]*)\.ts(['"])/, '$1.js$2'))
    await writeFile(to, path === ENTRY ? `/// <reference types="node" />\n${emitted}` : emitted)
  }
  await follow(ENTRY)
  return imported
}

/** Versions by package: as they are tried here, but for those that must be the service's own. */
function dependencies(specifiers: readonly string[], versions: Readonly<Record<string, string>>) {
  const names = specifiers
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
    .map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
  const range = (name: string) => [name, PEERS.includes(name) ? `^${versions[name]}` : versions[name]] as const
  const unique = [...new Set(names)].sort()
  return {
    // whatever version the service has: the declarations speak of node:http
    dependencies: {
      ...Object.fromEntries(unique.filter((name) => !PEERS.includes(name)).map(range)),
      '@types/node': '*',
    },
    peerDependencies: Object.fromEntries(unique.filter((name) => PEERS.includes(name)).map(range)),
  }
}

async function pack(): Promise<void> {
  await mkdir(output, { recursive: true })
  const { imported: bundled, inputs } = await bundle()
  const imported = [...bundled, ...(await declare())]
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const { name, version, license, type } = manifest
  const own = {
    name,
    version,
    description: 'A kit for services of an msvc platform: routes, clients, stores, events, config, logs and traces',
    license,
    type,
    engines: { node: NODE },
    exports: { '.': { types: './types/package.d.ts', default: './index.js' } },
    sideEffects: false,
    ...dependencies(imported, manifest.dependencies),
  }
  await writeFile(join(output, 'package.json'), `${JSON.stringify(own, null, 2)}\n`)
  await copyFile(join(root, 'LICENSE'), join(output, 'LICENSE'))
  await writeFile(join(output, 'THIRD-PARTY-NOTICES.txt'), `${await notices(root, inputs)}\n`)
  await copyFile(join(root, 'docs/kit.md'), join(output, 'README.md'))
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  await run(npm, ['pack', '--pack-destination', work], { cwd: output })
  const tarball = (await readdir(work)).find((file) => file.endsWith('.tgz'))
  if (tarball === undefined) throw new Error('npm pack made no archive')
  await rename(join(work, tarball), join(dist, tarball))
  await rm(join(dist, 'package'), { recursive: true, force: true })
  await rename(output, join(dist, 'package'))
  process.stderr.write(`msvc: dist/${tarball} is ready; npm install it where a service is written\n`)
}

/** What is to be said of a fault. */
function wordsOf(fault: unknown): unknown {
  if (!(fault instanceof Error)) return fault
  return ('stdout' in fault && fault.stdout) || fault.stack
}

try {
  await pack()
} catch (fault) {
  // esbuild has printed its own errors, with the lines they are about; the compiler prints its on stdout
  if (!(fault instanceof Error && 'errors' in fault))
    process.stderr.write(`${wordsOf(fault)}
`)
  process.exitCode = 1
} finally {
  await rm(work, { recursive: true, force: true })
}
