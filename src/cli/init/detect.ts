import { findDotnet, findGo, findJava, findRust } from './compiled.ts'
import { type Built, type Composed, readCompose } from './compose.ts'
import type { Folder, Found } from './folder.ts'
import { findNode } from './node.ts'
import { findPython } from './python.ts'
import { findPhp, findProcfile, findRuby } from './scripted.ts'

/** A service as it is proposed, with what is to be said of it. */
export interface Proposed {
  readonly name: string
  readonly dir: string
  readonly run: string
  readonly ready?: string
  readonly needs: readonly string[]
  /** By what it was found, and what couldn't be known: whole sentences. */
  readonly notes: readonly string[]
}

/** What was found in a folder. */
export interface Detected {
  readonly services: readonly Proposed[]
  /** What is there besides, and not for `msvc up` to run: whole sentences. */
  readonly remarks: readonly string[]
}

/** Rules, the surest first: a folder is what the first of them says. A Procfile comes before them all. */
const RULES: readonly ((folder: Folder) => readonly Found[])[] = [
  findRuby,
  findPhp,
  findJava,
  findDotnet,
  findGo,
  findRust,
  findPython,
  findNode,
]

/** One that has no name yet. */
interface Candidate extends Found {
  readonly dir: string
  /** What it is called in a compose file, where that names it. */
  readonly composed?: string
}

/**
 * What can be run in a folder and in those within it. Where a compose file builds some of them, their names and needs are taken from there; its images
 * run on by themselves.
 * @param reserved names that no service may have
 */
export function detect(root: Folder, inner: readonly Folder[], reserved: readonly string[]): Detected {
  const composed = readCompose(root)
  const folders = [root, ...inner]
  const looked = folders.map((folder) => ({ folder, ...lookAt(folder) }))
  const candidates = [
    ...looked.flatMap(({ folder, found }) => {
      const built = composed?.built.filter(({ dir }) => dir === folder.path) ?? []
      if (composed === undefined || built.length === 0)
        return found.map((each) => ofFolder(each, folder, found.length > 1))
      return built.flatMap((each) => ofCompose(each, found[0], composed.file))
    }),
    // somewhere deeper
    ...(composed?.built.filter(({ dir }) => !folders.some(({ path }) => path === dir)) ?? []).flatMap((each) =>
      ofCompose(each, undefined, composed?.file ?? ''),
    ),
  ]
  const taken = new Set(reserved)
  const named = candidates.map((candidate) => ({ candidate, name: freeName(candidate.name ?? 'app', taken) }))
  const nameOf = new Map(named.map(({ candidate, name }) => [candidate.composed, name]))
  return {
    services: named.map(({ candidate, name }) => propose(candidate, name, nameOf)),
    remarks: [...looked.flatMap(({ remarks }) => remarks), ...remarksOf(composed, candidates)],
  }
}

/** What the first rule finds that finds something; what others find is told of. */
function lookAt(folder: Folder): { readonly found: readonly Found[]; readonly remarks: readonly string[] } {
  const lines = findProcfile(folder)
  // whoever wrote it has said what is to run
  if (lines.length > 0) return { found: lines, remarks: [] }
  const [found = [], ...others] = RULES.map((rule) => rule(folder)).filter((each) => each.length > 0)
  const remarks = others.flatMap(([other]) =>
    other ? [`In ${folder.path} there is also what runs by: ${other.run} (${other.because}).`] : [],
  )
  return { found, remarks }
}

/** One by its folder: named after it, of several by what they are called there too. At the top what it calls itself counts. */
function ofFolder(found: Found, folder: Folder, isOneOfMany: boolean): Candidate {
  const dir = dirOf(folder.path)
  const { name = folder.name } = found
  if (folder.path === '.') return { ...found, dir, name }
  return { ...found, dir, name: isOneOfMany && name !== 'web' ? `${folder.name}-${name}` : folder.name }
}

/** One that a compose file builds. Where the folder says too how it runs, it says it for people. */
function ofCompose(built: Built, found: Found | undefined, file: string): readonly Candidate[] {
  const { name, dir, command, needs, variables } = built
  const run = found?.run ?? command
  if (run === undefined) return []
  const because = found ? `${file} builds it, and ${found.because}` : `${file} builds it`
  const given = `${file} gives it ${variables.join(', ')}: what it needs of these goes into env.`
  const notes = [...(found?.notes ?? []), ...(variables.length > 0 ? [given] : [])]
  return [{ ...found, because, run, name, dir: dirOf(dir), composed: name, needs, notes }]
}

const dirOf = (path: string) => (path === '.' ? '.' : `./${path}`)

/** @param nameOf what those of a compose file are called here; what isn't among them is an image, or was left out */
function propose(candidate: Candidate, name: string, nameOf: ReadonlyMap<string | undefined, string>): Proposed {
  const { because, run, dir, ready, needs = [], notes = [] } = candidate
  return {
    name,
    dir,
    run,
    ...(ready !== undefined && { ready }),
    needs: needs.flatMap((need) => nameOf.get(need) ?? []),
    notes: [`${because}.`, ...notes],
  }
}

/** A name that is allowed, and nobody's yet: small letters, digits and dashes, at most 63. */
function freeName(wanted: string, taken: Set<string>): string {
  const words = wanted.toLowerCase().match(/[a-z0-9]+/g) ?? ['app']
  const name = words.join('-').slice(0, 48).replace(/-$/, '')
  const further = Array.from({ length: taken.size + 1 }, (_, index) => `${name}-app${index === 0 ? '' : index + 1}`)
  const free = [name, ...further].find((candidate) => !taken.has(candidate)) ?? name
  taken.add(free)
  return free
}

function remarksOf(composed: Composed | undefined, candidates: readonly Candidate[]): readonly string[] {
  if (composed === undefined) return []
  const { file, built, images } = composed
  const listed = [...images].map(([name, image]) => `${name} (${image})`).join(', ')
  const untold = built.filter(({ name }) => !candidates.some((candidate) => candidate.composed === name))
  return [
    ...(images.size > 0
      ? [`${file} has images too: ${listed}. They run on by: docker compose up -d ${[...images.keys()].join(' ')}`]
      : []),
    ...untold.map(({ name, dir }) => `${file} builds ${name} in ${dir}: how it is started could not be told.`),
  ]
}
