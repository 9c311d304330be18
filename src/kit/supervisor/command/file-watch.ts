import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { compileGlob } from '../../glob.ts'
import { watchFolder } from './folder-watch.ts'

/** What is watched for. */
export interface FileWatchOptions {
  readonly dir: string
  /** Globs, from `dir`. */
  readonly patterns: readonly string[]
  /** Told of the first file of a burst of changes, by its path from `dir`, when it is over. */
  readonly onChange: (path: string) => void
  /** Told of the first folder that can't be watched, as one that may not be read; the rest is. */
  readonly onSkip: (path: string, fault: unknown) => void
  /** Told when nothing is watched any more. */
  readonly onFault: (fault: Error) => void
}

/** A burst is over when nothing more has changed for so long, milliseconds: an editor writes a file in several steps, a branch many files. */
const QUIET_MS = 100
/** Never of interest, whatever a pattern says. */
const NEVER = new Set(['.git', 'node_modules'])

/**
 * Watches files of a folder, those below it too, but for what `.gitignore` names (in it, below it, and above it up to the repository's root), `.git` and `node_modules`.
 * @returns what ends it. Throws the system's own error, as for too many watches (ENOSPC)
 */
export function watchFiles({ dir, patterns, onChange, onSkip, onFault }: FileWatchOptions): () => void {
  const isIgnored = ignoredIn(dir)
  const globs = patterns.map((pattern) => compileGlob(pattern.replace(/^\.\//, '')))
  let hasSkipped = false
  let first: string | undefined
  let timer: NodeJS.Timeout | undefined
  const over = () => {
    const path = first
    first = undefined
    if (path !== undefined) onChange(path)
  }
  const close = watchFolder({
    dir,
    isIgnored,
    onChange(name) {
      const path = sep === '/' ? name : name.replaceAll(sep, '/')
      // in this order: most files of a tree are meant by no pattern
      if (!globs.some((isMeant) => isMeant(path)) || isIgnored(name)) return
      first ??= name
      clearTimeout(timer)
      timer = setTimeout(over, QUIET_MS)
    },
    onSkip(path, fault) {
      if (!hasSkipped) onSkip(path, fault)
      hasSkipped = true
    },
    onFault,
  })
  return () => {
    clearTimeout(timer)
    close()
  }
}

/** Tells whether a path, from a folder, is left out by git's rules. */
export function ignoredIn(dir: string): (path: string) => boolean {
  const known = new Map<string, Ignore | undefined>()
  const above = foldersAbove(dir)

  function rulesOf(folder: string): Ignore | undefined {
    if (!known.has(folder)) known.set(folder, readRules(folder))
    return known.get(folder)
  }

  return (path) => {
    const steps = path.split(sep)
    if (steps.some((step) => NEVER.has(step))) return true
    const within = steps.slice(0, -1).map((_, index) => join(dir, ...steps.slice(0, index + 1)))
    const whole = resolve(dir, path)
    return [...above, dir, ...within].some((folder) => {
      const rules = rulesOf(folder)
      const from = relative(folder, whole).split(sep).join('/')
      // a folder's own rule may end in a slash
      return rules !== undefined && from !== '' && (rules.ignores(from) || rules.ignores(`${from}/`))
    })
  }
}

function readRules(folder: string): Ignore | undefined {
  try {
    return ignore().add(readFileSync(join(folder, '.gitignore'), 'utf8'))
  } catch {
    return undefined
  }
}

/** The folders above one, up to the root of its repository; none where it is in no repository. */
function foldersAbove(dir: string): readonly string[] {
  const above: string[] = []
  for (let folder = dir; ; folder = dirname(folder)) {
    if (folder !== dir) above.push(folder)
    if (existsSync(join(folder, '.git'))) return above
    if (folder === dirname(folder)) return []
  }
}
