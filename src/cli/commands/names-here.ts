import { resolve } from 'node:path'
import { configurationPlace } from '../session/configuration.ts'
import { glanceAt } from '../session/glance.ts'
import { type RunState, readRunStates } from '../session/run-state.ts'
import type { Io } from '../terminal/io.ts'

/** Names that a shell offers besides those which msvc always has. */
export interface NamesHere {
  /** Of the running platform; none where none runs. */
  readonly units: readonly string[]
  /** The user's services, by the configuration and by what runs. */
  readonly services: readonly string[]
}

/** Where the configuration says nothing else. */
const DATA = '.msvc'

/**
 * The names that mean something in the current folder, without asking anybody: by the configuration's text and the files of what runs. Never throws: what can't
 * be read gives none.
 * @param words the command line so far, in which `--config` and `--data` are looked for
 */
export async function namesHere(io: Pick<Io, 'folder'>, words: readonly string[]): Promise<NamesHere> {
  const config = givenAs('config', words)
  const { data = DATA, services } = glanceAt(
    configurationPlace({ io, options: config === undefined ? {} : { config } }),
  )
  const states = await runningOn(resolve(io.folder, givenAs('data', words) ?? data))
  const names = (each: (state: RunState) => readonly string[]) => states.flatMap(each)
  return {
    units: names(({ units }) => units),
    services: [...new Set([...services, ...names(({ roles }) => roles.map(({ service }) => service))])],
  }
}

async function runningOn(data: string): Promise<readonly RunState[]> {
  try {
    return await readRunStates(data)
  } catch {
    return []
  }
}

function givenAs(option: string, words: readonly string[]): string | undefined {
  const given = words.findLast((word, at) => word.startsWith(`--${option}=`) || words[at - 1] === `--${option}`)
  return given?.replace(`--${option}=`, '')
}
