import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { EXECUTABLE } from './platform.ts'

/** A platform under `msvc up`, by the msvc.yaml of its folder. `await using` ends it. */
export interface StartedUp extends AsyncDisposable {
  readonly pid: number
  readonly data: string
  /** From its launch until it said that it is ready, milliseconds. */
  readonly readyMs: number
}

/** Starts the platform of a folder; resolves when it says that it is ready. @param data its data folder. Default: `data` in that folder */
export async function startUp(
  folder: string,
  flags: readonly string[] = [],
  data: string = join(folder, 'data'),
): Promise<StartedUp> {
  const since = performance.now()
  const child = spawn(EXECUTABLE, ['up', '--json', '--quiet', '--data', data, ...flags], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const first = await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => undefined)])
  if (!first) throw new Error(`msvc up ended in ${folder}`)
  const readyMs = performance.now() - since
  return {
    pid: child.pid ?? 0,
    data,
    readyMs,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
