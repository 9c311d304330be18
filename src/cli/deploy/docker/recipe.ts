import type { OwnService } from '../../../kit/config/own-service.ts'
import type { Folder } from '../../init/folder.ts'

/** How the image of a service is made. Lines are a Dockerfile's, run in the folder of the service. */
export interface Recipe {
  /** What it is built on; it runs there too where it isn't built, or needs what it was built by. */
  readonly image: string
  /** What it runs on once it is built. */
  readonly runtime: string
  /** Brings the tools that install, build and run it. */
  readonly tools: readonly string[]
  /** Files of its folder that say what it depends on, such as `package-lock.json`: what is installed by them is kept while they are as they are. */
  readonly manifests: readonly string[]
  /** Installs what it depends on, by the manifests alone. */
  readonly install: readonly string[]
  /** What is still to be done when its sources are there, before `build`. */
  readonly finish: readonly string[]
  /** Takes away what only `build` needs. */
  readonly trim: readonly string[]
  /** Where it runs: what its tools fetch else at each start. */
  readonly settle: readonly string[]
  /** Whether it runs by the tools. */
  readonly runsByTools: boolean
  /** Variables that it runs with. */
  readonly environment: Readonly<Record<string, string>>
  /** Patterns of what lies in its folder, and is made anew in the image. */
  readonly ignored: readonly string[]
}

/** What a recipe is written by. */
export interface Ingredients {
  /** The words of its command, without variables before it. */
  readonly words: readonly string[]
  /** Whether it has a `build`. */
  readonly isBuilt: boolean
  readonly folder: Pick<Folder, 'has' | 'names' | 'text'>
  /** Where its folder is in the image. */
  readonly place: string
}

/** What runs a program that needs nothing but glibc, libstdc++ and a shell. */
export const DEBIAN = 'debian:bookworm-slim'

/** A recipe with nothing but an image. */
export function plain(image: string): Recipe {
  const none: readonly string[] = []
  return {
    ...{ image, runtime: image, tools: none, manifests: none, install: none, finish: none, trim: none, settle: none },
    ...{ runsByTools: false, environment: {}, ignored: none },
  }
}

/** The words of a command, without `exec` and the variables before it. */
export function wordsOf(command: OwnService['run']): readonly string[] {
  const words = typeof command === 'string' ? command.trim().split(/\s+/) : command
  const first = words.findIndex((word) => !/^\w+=/.test(word) && word !== 'exec')
  return first < 0 ? [] : words.slice(first)
}

/** Those of some files that are in a folder. */
export function present({ folder }: Ingredients, names: readonly string[]): readonly string[] {
  return names.filter((name) => folder.has(name))
}
