import * as z from 'zod'
import type { Folder, Found } from './folder.ts'

const Texts = z.record(z.string(), z.string()).catch({})
const Manifest = z.object({
  name: z.string().optional().catch(undefined),
  main: z.string().optional().catch(undefined),
  scripts: Texts,
  dependencies: Texts,
  devDependencies: Texts,
  workspaces: z.unknown().optional(),
})

/** Scripts by which people start what they work on, the best first. */
const SCRIPTS = ['dev', 'start:dev', 'start', 'serve']
/** Scripts of these names that only build. */
const BUILDS = /^(?:tsc|tsup|rollup|esbuild|vitest|jest|turbo|nx|lerna)\b/
/** What takes its port as a flag, and not from the environment. */
const WITH_FLAG = /(?:^|[\s/])(?:vite|astro|ng|webpack(?:-dev-server)?)(?:\s|$)(?!.*--port)/
const MAINS = ['server.js', 'index.js', 'app.js', 'server.mjs', 'index.mjs', 'server.ts', 'index.ts']
/** By which one tells what package.json's scripts are run with. */
const MANAGERS = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
] as const

/** A folder with a package.json: its script for work, else its main file. A root of workspaces is none by itself. */
export function findNode(folder: Folder): readonly Found[] {
  if (!folder.has('package.json')) return []
  const manifest = readManifest(folder.text('package.json'))
  if (manifest === undefined || manifest.workspaces !== undefined || folder.has('pnpm-workspace.yaml')) return []
  const script = SCRIPTS.find((name) => manifest.scripts[name] !== undefined && !BUILDS.test(manifest.scripts[name]))
  const name = manifest.name?.replace(/^@[^/]*\//, '')
  const all = { ...manifest.dependencies, ...manifest.devDependencies }
  const notes =
    Object.keys(all).length > 0 && !folder.has('node_modules') ? ['Its packages are not installed yet.'] : []
  if (script !== undefined) {
    const text = manifest.scripts[script] ?? ''
    const manager = MANAGERS.find(([file]) => folder.has(file))?.[1] ?? 'npm'
    const flag = WITH_FLAG.test(text) ? `${manager === 'npm' ? ' --' : ''} --port $PORT --host $HOST` : ''
    const run = script === 'start' && manager === 'npm' ? 'npm start' : `${manager} run ${script}`
    return [{ because: `package.json has the script ${script}`, run: `${run}${flag}`, ...(name && { name }), notes }]
  }
  const main = [manifest.main, ...MAINS].find((file) => file !== undefined && folder.has(file))
  // a package that others import says its main file too
  if (main === undefined || (manifest.main !== undefined && !MAINS.includes(main))) return []
  return [{ because: `package.json is there, and ${main}`, run: `node ${main}`, ...(name && { name }), notes }]
}

function readManifest(text: string): z.output<typeof Manifest> | undefined {
  try {
    return Manifest.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
