import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

interface SourceFile {
  readonly path: string
  readonly text: string
  /** Text without comments and without what stands in strings, to look for words of code in. */
  readonly code: string
  /** `lazy`: by import(), when it is needed. */
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean; readonly lazy: boolean }[]
}

const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
  .map(readSource)
const production = files.filter(({ path }) => !path.endsWith('.test.ts') && !path.includes('/testing/'))

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
  const statements = bare.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?'(\.[^']+)'/gm)
  const lazy = bare.matchAll(/import\('(\.[^']+)'\)/g)
  const target = (spec: string) =>
    relative(root, join(root, dirname(path), spec))
      .split(sep)
      .join('/')
  const imports = [
    ...[...statements].map(([, type, spec = '']) => ({
      target: target(spec),
      typeOnly: type !== undefined,
      lazy: false,
    })),
    ...[...lazy].map(([, spec = '']) => ({ target: target(spec), typeOnly: false, lazy: true })),
  ]
  return { path, text, code: bare.replace(/'(?:[^'\\\n]|\\.)*'/g, "''"), imports }
}

/** The floors of the house, design §3: data comes in at the top and never climbs. */
function floor(path: string): number {
  if (/^src\/[^/]+$/.test(path)) return 5
  if (path.startsWith('src/cli/')) return 4
  if (path.startsWith('src/roles/')) return 3
  if (path.startsWith('src/kit/')) return 2
  if (path.startsWith('src/drivers/')) return 1
  throw new Error(`${path} is on no floor`)
}

/** The kit's rooms, lowest first. What lies in no room is below them all, but for what is put together from them. */
const ROOMS = [
  'secrets',
  'auth',
  'telemetry',
  'output',
  'http',
  'discovery',
  'upstream',
  'client',
  'forwarding',
  'config',
  'messaging',
  'middleware',
  'cutover',
  'service',
  'supervisor',
  'backup',
  'migration',
]
const ABOVE_ROOMS: Readonly<Record<string, string>> = {
  'src/kit/context.ts': 'messaging',
  'src/kit/role.ts': 'messaging',
  'src/kit/role-run.ts': 'middleware',
  'src/kit/reached-places.ts': 'config',
  'src/kit/moving-run.ts': 'cutover',
  'src/kit/host.ts': 'cutover',
  'src/kit/lifecycle.ts': 'middleware',
}

/** A file's place in the kit, half a step above the room that it may use. */
function placeInKit(path: string): number {
  const below = ABOVE_ROOMS[path]
  if (below !== undefined) return ROOMS.indexOf(below) + 0.5
  const room = /^src\/kit\/([^/]+)\//.exec(path)?.[1]
  if (room !== undefined && !ROOMS.includes(room)) throw new Error(`${room} has no place among the kit's rooms`)
  return room === undefined ? -1 : ROOMS.indexOf(room)
}

/** The rooms of the command line, lowest first; above them the program that has all commands. */
const CLI_ROOMS = [
  'render',
  'terminal',
  'session',
  'plan',
  'services',
  'platform',
  'migration',
  'init',
  'systemd',
  'deploy',
  'autostart',
  'commands',
]

function placeInCli(path: string): number {
  const room = /^src\/cli\/([^/]+)\//.exec(path)?.[1]
  if (room !== undefined && !CLI_ROOMS.includes(room))
    throw new Error(`${room} has no place among the rooms of the cli`)
  return room === undefined ? CLI_ROOMS.length : CLI_ROOMS.indexOf(room)
}

const roleOf = (path: string) => /^src\/roles\/([^/]+)\//.exec(path)?.[1]

describe('architecture', () => {
  it('reads the sources', () => {
    expect(production.length).toBeGreaterThan(50)
    expect(production.flatMap(({ imports }) => imports).length).toBeGreaterThan(100)
  })

  it('imports only go down', () => {
    const up = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target.startsWith('src/') && floor(target) > floor(path))
        .map(({ target }) => `${path} -> ${target}`),
    )
    expect(up).toEqual([])
  })

  it.each([
    ['kit', placeInKit],
    ['cli', placeInCli],
  ])('imports only go down within the %s, types too', (name, placeOf) => {
    const folder = `src/${name}/`
    const up = production.flatMap(({ path, imports }) =>
      path.startsWith(folder)
        ? imports
            .filter(({ target }) => target.startsWith(folder) && placeOf(target) > placeOf(path))
            .map(({ target }) => `${path} -> ${target}`)
        : [],
    )
    expect(up).toEqual([])
  })

  it('reaches a sibling role only through its contract', () => {
    const across = production.flatMap(({ path, imports }) =>
      imports
        .filter(
          ({ target }) => roleOf(path) !== undefined && roleOf(target) !== undefined && roleOf(path) !== roleOf(target),
        )
        .filter(({ target }) => !target.endsWith('/contract.ts'))
        .map(({ target }) => `${path} -> ${target}`),
    )
    expect(across).toEqual([])
  })

  it('keeps contracts free of runtime imports of their own', () => {
    const heavy = production
      .filter(({ path }) => /^src\/roles\/[^/]+\/contract\.ts$/.test(path))
      .flatMap(({ path, imports }) =>
        imports.filter(({ typeOnly }) => !typeOnly).map(({ target }) => `${path} -> ${target}`),
      )
    expect(heavy).toEqual([])
  })

  it('has no import cycles', () => {
    const graph = new Map(
      production.map(({ path, imports }) => [
        path,
        imports.filter(({ typeOnly }) => !typeOnly).map(({ target }) => target),
      ]),
    )
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (path: string, trail: readonly string[]) => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      if (done.has(path) || trail.includes(path)) return
      for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
    expect(cycles).toEqual([])
  })

  it('loads what is slow only where it is used', () => {
    const byPath = new Map(production.map((file) => [file.path, file]))
    const loaded = new Set<string>()
    const load = (path: string) => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const { target, typeOnly, lazy } of byPath.get(path)?.imports ?? []) if (!typeOnly && !lazy) load(target)
    }
    // what the process of a role begins with, and every command
    for (const start of ['src/main.ts', 'src/cli/platform/unit.ts', 'src/cli/program.ts']) load(start)
    for (const { path } of production) if (/^src\/roles\/[^/]+\/role\.ts$/.test(path)) load(path)
    expect(loaded.size).toBeGreaterThan(100)
    // YAML (5 ms, 2 MB) and the tables of characters (20 ms, 1 MB) are for who reads a file, or draws a table
    expect([...loaded].filter((path) => /config\/locate|render\/text-width/.test(path))).toEqual([])
  })

  it('reads the process on the top floor alone', () => {
    const readers = production
      .filter(
        ({ path, code }) =>
          floor(path) < 5 && /\bprocess\.(argv|env|on|once|exit|exitCode|stdin|stdout|stderr)\b/.test(code),
      )
      .map(({ path }) => path)
    expect(readers).toEqual([])
  })

  it('opens drivers in the kit alone', () => {
    const openers = production
      .filter(({ path, code }) => /\bopen(Store|Bus|Cache)\(/.test(code) && path.startsWith('src/roles/'))
      .map(({ path }) => path)
    expect(openers).toEqual([])
  })

  it('adds middleware in the kit alone', () => {
    const adders = production
      .filter(({ path, code }) => path.startsWith('src/roles/') && /\bapp\.use\(/.test(code))
      .map(({ path }) => path)
    expect(adders).toEqual([])
  })

  it('names files after their idea', () => {
    const vague = files
      .map(({ path }) => path)
      .filter((path) => /(^|\/)(utils?|common|helpers?|shared|misc)(\/|\.tsx?$)/.test(path))
    expect(vague).toEqual([])
    const odd = files.map(({ path }) => path).filter((path) => !/^[a-z0-9/.-]+$/.test(path))
    expect(odd).toEqual([])
  })

  it('has no barrel but the catalog and the list of what the package offers', () => {
    const barrels = production
      .filter(
        ({ path, code }) =>
          !['src/roles/catalog.ts', 'src/package.ts'].includes(path) && /^export\s+(\*|\{[^}]*\})\s+from/m.test(code),
      )
      .map(({ path }) => path)
    expect(barrels).toEqual([])
  })

  it('keeps files small', () => {
    const linesOf = ({ text }: SourceFile) => text.split('\n').length
    expect(files.filter((file) => linesOf(file) > 400).map(({ path }) => path)).toEqual([])
    const lengths = production.map(linesOf).sort((a, b) => a - b)
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(130)
  })

  it('says nothing twice', () => {
    const seen = new Map<string, string>()
    const twins = files.flatMap(({ path, text }) => {
      const hash = createHash('sha256').update(text).digest('hex')
      const twin = seen.get(hash)
      seen.set(hash, path)
      return twin ? [`${path} = ${twin}`] : []
    })
    expect(twins).toEqual([])
  })

  it('has no any, no non-null assertion, nothing left for later', () => {
    const smells = files
      .filter(
        ({ text, code }) =>
          /[:=]\s*any\b|\bas any\b|<any>/.test(code) ||
          // these stand in comments
          /\bTODO\b|\bFIXME\b|@ts-(ignore|expect-error|nocheck)|biome-ignore/.test(text),
      )
      .map(({ path }) => path)
    expect(smells).toEqual([])
  })
})
