import { constants } from 'node:os'
import { AppError } from './kit/errors.ts'
import { exitProcess } from './process-exit.ts'

/** A second signal ends the process at once; npm and some launchers send one keystroke twice, this close together. No hand is so fast. */
const SAME_KEYSTROKE_MS = 100
/** How long what has nothing to stop may take for its last words once a signal came, and whoever reads the output to take them, milliseconds. */
export const LAST_WORDS_MS = 1_000

/** SIGBREAK and SIGHUP are what Windows makes of Ctrl-Break and of a console that is closed, SIGTERM is there nobody's. */
const SIGNALS: readonly NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM', 'SIGHUP']

/** The signals that ask this process to end. */
export interface Signals {
  /** Fires when one came; from the first look at it on. Until then a signal ends the process as it ends any other, whatever it does. */
  readonly stopping: AbortSignal
  /** The same, for what has nothing to stop: the process ends soon after it fires. */
  readonly leaving: AbortSignal
  /** As if a signal had come. */
  stop(why: string): void
  /** From now on SIGINT is somebody else's business. */
  ignoreInterrupts(): void
  /** Runs something once a signal has come; never when nobody has looked for one. */
  whenStopped(then: () => void): void
}

/** Makes what hears this process's signals. Call it once. */
export function processSignals(): Signals {
  const stopping = new AbortController()
  let handled = false
  let ignoresInterrupts = false
  let endsSoon = false
  let askedAt = Number.NEGATIVE_INFINITY
  const stop = (why: string) => stopping.abort(new AppError('STOPPING', `stopped by ${why}`))

  function take(signal: NodeJS.Signals) {
    if (signal === 'SIGINT' && ignoresInterrupts) return
    const now = performance.now()
    if (stopping.signal.aborted && now - askedAt > SAME_KEYSTROKE_MS) exitProcess(128 + constants.signals[signal])
    askedAt = now
    if (endsSoon) setTimeout(() => exitProcess(128 + constants.signals[signal]), LAST_WORDS_MS)
    stop(signal)
  }

  function handle() {
    if (handled) return
    handled = true
    for (const signal of SIGNALS) process.on(signal, take)
  }

  return {
    get stopping() {
      handle()
      return stopping.signal
    },
    get leaving() {
      endsSoon = true
      handle()
      return stopping.signal
    },
    stop,
    ignoreInterrupts() {
      ignoresInterrupts = true
      handle()
    },
    whenStopped(then) {
      if (stopping.signal.aborted) then()
      else stopping.signal.addEventListener('abort', then, { once: true })
    },
  }
}
