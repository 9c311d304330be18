import { setTimeout as sleep } from 'node:timers/promises'
import { type Container, type ContainerSpec, startContainer } from './container.ts'
import type { Engine } from './engine.ts'

/** How often one is started again that ends by itself. */
const MOST_RESTARTS = 12
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/** A container that is started again when it ends by itself, as by `restart: unless-stopped`. */
export interface KeptContainer extends Omit<Container, 'ended'> {
  /** Ends it, and leaves it so. */
  kill(): Promise<void>
  /** How often it was started again. */
  readonly restarts: number
  /** Why it is no longer started again; undefined while it is. */
  readonly over: string | undefined
}

/** Starts one; resolves once its program is begun. */
export async function keepContainer(engine: Engine, spec: ContainerSpec): Promise<KeptContainer> {
  let current = await startContainer(engine, spec)
  let isStopped = false
  let over: string | undefined
  let restarts = 0
  const keeping = keep()

  async function keep() {
    for (; ; restarts++) {
      await current.ended
      if (isStopped) return
      if (restarts === MOST_RESTARTS) {
        over = `it has ended ${restarts + 1} times`
        return
      }
      // twice as long each time, as an engine waits
      await sleep(Math.min(FIRST_PAUSE_MS * 2 ** restarts, LONGEST_PAUSE_MS))
      if (isStopped) return
      current = await startContainer(engine, spec)
    }
  }

  return {
    name: spec.name,
    place: spec.place,
    get lines() {
      return current.lines
    },
    get restarts() {
      return restarts
    },
    get over() {
      return over
    },
    exec: (words) => current.exec(words),
    stop() {
      isStopped = true
      return current.stop()
    },
    async kill() {
      isStopped = true
      await current.kill()
      await keeping
      // it was started in that moment
      await current.kill()
    },
  }
}
