import { AppError } from './errors.ts'

type State = { readonly at: 'running' } | { readonly at: 'stopping'; readonly done: Promise<void> }

type Cleanup = () => Promise<void> | void

/** What one run of a role has opened, and the order in which it is closed. */
export interface Lifecycle {
  /** Fires as soon as stopping begins. */
  readonly signal: AbortSignal
  readonly stopping: boolean
  /** Registers what stop runs, last in first out. Throws AppError `STOPPING` when it is too late; the caller closes what it has. */
  defer(cleanup: Cleanup): void
  /** Runs every cleanup in reverse order, also when some fail; called again, it gives the same promise. */
  stop(): Promise<void>
}

/**
 * Makes a lifecycle.
 * @param onFault told of each cleanup that failed; the others run all the same
 */
export function createLifecycle(onFault: (fault: unknown) => void): Lifecycle {
  const controller = new AbortController()
  const cleanups: Cleanup[] = []
  let state: State = { at: 'running' }

  async function unwind() {
    for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) {
      try {
        await cleanup()
      } catch (fault) {
        onFault(fault)
      }
    }
  }

  return {
    signal: controller.signal,
    get stopping() {
      return state.at === 'stopping'
    },
    defer(cleanup) {
      if (state.at === 'stopping') throw new AppError('STOPPING', 'The role is stopping')
      cleanups.push(cleanup)
    },
    stop() {
      if (state.at === 'running') {
        controller.abort(new AppError('STOPPING', 'The role is stopping'))
        state = { at: 'stopping', done: unwind() }
      }
      return state.done
    },
  }
}
