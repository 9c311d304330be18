import { posix } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import type { Folder } from './folder.ts'

const Command = z.union([z.string(), z.array(z.string())])
const Names = z
  .union([z.array(z.string()), z.record(z.string(), z.unknown())])
  .transform((given) => (Array.isArray(given) ? given : Object.keys(given)))
const Service = z.object({
  image: z.string().optional().catch(undefined),
  build: z
    .union([z.string(), z.object({ context: z.string().default('.'), dockerfile: z.string().optional() })])
    .optional()
    .catch(undefined),
  command: Command.optional().catch(undefined),
  depends_on: Names.optional().catch(undefined),
  environment: Names.optional().catch(undefined),
})
const File = z.object({ services: z.record(z.string(), Service) })

/** A service that a compose file builds. */
export interface Built {
  readonly name: string
  /** From the folder that is looked at. */
  readonly dir: string
  /** What the file, or the image's own, starts it with, for the shell; for where the folder doesn't tell. */
  readonly command: string | undefined
  readonly needs: readonly string[]
  /** Names of the variables that it is given there. */
  readonly variables: readonly string[]
}

/** What a compose file says. */
export interface Composed {
  readonly file: string
  readonly built: readonly Built[]
  /** Images by the name of their service: they run on as they do. */
  readonly images: ReadonlyMap<string, string>
}

/** Files by which `docker compose` goes, in its order (https://docs.docker.com/compose/intro/compose-application-model/). */
const FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']

/** Reads a folder's compose file; undefined where there is none, or nothing to be read in it. */
export function readCompose(folder: Folder): Composed | undefined {
  const file = FILES.find((name) => folder.has(name))
  const { data } = File.safeParse(file && parsed(folder.text(file)))
  if (file === undefined || data === undefined) return undefined
  const built: Built[] = []
  const images = new Map<string, string>()
  for (const [name, { build, image, command, depends_on: needs = [], environment = [] }] of Object.entries(
    data.services,
  )) {
    if (build === undefined) {
      if (image !== undefined) images.set(name, image)
      continue
    }
    const { context, dockerfile } = typeof build === 'string' ? { context: build, dockerfile: undefined } : build
    const dir = posix.normalize(posix.join(folder.path, context)).replace(/\/$/, '')
    const start = command ?? commandOf(folder.text(posix.join(context, dockerfile ?? 'Dockerfile')))
    const variables = environment.map((entry) => entry.split('=')[0] ?? '').filter((variable) => variable !== '')
    built.push({
      name,
      dir,
      command: start && (typeof start === 'string' ? start : start.map(quoted).join(' ')),
      needs,
      variables,
    })
  }
  return { file, built, images }
}

function parsed(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100, merge: true })
  } catch {
    return undefined
  }
}

/** The last CMD of a Dockerfile. */
function commandOf(dockerfile: string): z.output<typeof Command> | undefined {
  const text = dockerfile
    .split(/\r?\n/)
    .findLast((line) => /^\s{0,16}CMD\s/i.test(line))
    ?.replace(/^\s*CMD\s+/i, '')
  if (text === undefined) return undefined
  try {
    return Command.safeParse(JSON.parse(text)).data ?? text
  } catch {
    return text
  }
}

/** A word as the shell takes it for one. */
function quoted(word: string): string {
  return /^[\w./:=@%+,$-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
