import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'

/** A platform that `msvc up` runs, as its file in the data folder tells other commands. */
export const RunState = z.object({
  /** The process id of `msvc up`. */
  pid: z.int(),
  roles: z.array(z.object({ unit: z.string(), role: z.string(), service: z.string(), url: z.string(), pid: z.int() })),
})
export type RunState = z.infer<typeof RunState>

/** Where the file is. */
function pathIn(data: string): string {
  return join(data, 'run.json')
}

/** What runs on a data folder; undefined when nothing does, or the file is left over from a process that is gone. */
export async function readRunState(data: string, isAlive: (pid: number) => boolean): Promise<RunState | undefined> {
  try {
    const state = RunState.parse(JSON.parse(await readFile(pathIn(data), 'utf8')))
    return isAlive(state.pid) ? state : undefined
  } catch {
    return undefined
  }
}

/** The file of a running platform. */
export interface StateFile {
  /** Tells other commands what runs now. Saves that come while one is being written become one. */
  save(state: RunState): void
  /** Resolves when what was saved is on disk. Rejects when the folder can't be written to. */
  written(): Promise<void>
  /** Takes the file away; nothing is saved afterwards. */
  remove(): Promise<void>
}

/** Opens the file in a data folder. Readers see an old state or a new one, never half of one. */
export function createStateFile(data: string): StateFile {
  let next: RunState | undefined
  let writing: Promise<void> = Promise.resolve()
  let removed = false

  async function write() {
    const state = next
    next = undefined
    if (!state || removed) return
    const fresh = `${pathIn(data)}.${state.pid}`
    await mkdir(data, { recursive: true, mode: 0o700 })
    await writeFile(fresh, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 })
    await rename(fresh, pathIn(data))
  }

  return {
    save(state) {
      const isIdle = next === undefined
      next = state
      if (!isIdle) return
      writing = writing.then(write)
      writing.catch(() => {})
    },
    written: () => writing,
    async remove() {
      removed = true
      await writing.catch(() => {})
      await rm(pathIn(data), { force: true })
    },
  }
}
