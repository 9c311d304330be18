import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A folder, as far as one looks at it to tell what it is. */
export interface Folder {
  /** From the one that is looked at; `.` for itself. */
  readonly path: string
  /** What it is called. */
  readonly name: string
  /** Whether a file or a folder is there. @param name may have folders before it */
  has(name: string): boolean
  /** What is in it, or in a folder of it, by name; of what can't be read, nothing. */
  names(inner?: string): readonly string[]
  /** A file's text; empty where there is none, and of what is too large to be written by hand. */
  text(name: string): string
}

/** Something that can be run, found in a folder. */
export interface Found {
  /** What says so, for the person. */
  readonly because: string
  /** A line for the shell; `PORT` is set. */
  readonly run: string
  /** What it is called there; default: the folder's name. */
  readonly name?: string
  /** As `services` has it; default `tcp`. */
  readonly ready?: string
  readonly needs?: readonly string[]
  /** What couldn't be known, in whole sentences. */
  readonly notes?: readonly string[]
}

/** Bytes of a file that is looked into. */
const MOST_BYTES = 262_144
/** Folders looked into of one. */
const MOST_FOLDERS = 64
/** What holds no service, whatever lies in it. */
const SKIPPED =
  /^(?:\.|_|(?:node_modules|vendor|target|dist|build|out|bin|obj|venv|env|docs?|tests?|e2e|examples?|scripts?|tools?)$)/
/** Folders of monorepos that only hold others. */
const HOLDERS = new Set(['apps', 'packages', 'services'])

/** Opens a folder on disk. @param root absolute @param path from there */
export function openFolder(root: string, path: string): Folder {
  const at = join(root, path)
  return {
    path,
    name: at.split(/[\\/]/).findLast((part) => part !== '') ?? 'app',
    has: (name) => statSync(join(at, name), { throwIfNoEntry: false }) !== undefined,
    names: (inner = '.') => namesIn(join(at, inner)),
    text: (name) => textOf(join(at, name)),
  }
}

/** The folders in one that may be services, those of a monorepo too, by name. */
export function foldersIn(root: string): readonly string[] {
  const direct = innerOf(root, '.').filter((path) => !HOLDERS.has(path))
  const held = [...HOLDERS].flatMap((holder) => innerOf(root, holder))
  return [...direct, ...held].slice(0, MOST_FOLDERS)
}

function innerOf(root: string, path: string): readonly string[] {
  return namesIn(join(root, path))
    .filter((name) => !SKIPPED.test(name) && statSync(join(root, path, name), { throwIfNoEntry: false })?.isDirectory())
    .map((name) => (path === '.' ? name : `${path}/${name}`))
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}

function textOf(file: string): string {
  try {
    const { size } = statSync(file)
    return size > MOST_BYTES ? '' : readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
