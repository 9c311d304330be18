import type { Clock } from '../../drivers/clock.ts'
import type { Log } from '../telemetry/log.ts'

/** Failures shorter than this, milliseconds, are not worth a line: a role that restarts is back by then. */
const PATIENCE_MS = 3_000

type State =
  | { readonly at: 'fine' }
  | { readonly at: 'failing'; readonly since: number }
  | { readonly at: 'told'; readonly since: number }

/** Turns the many failures of a thing that is away into one line in the log when it stays away, and one when it is back. */
export class Outage {
  readonly #what: string
  readonly #log: Log
  readonly #clock: Clock
  #state: State = { at: 'fine' }

  /** @param what names it in the log, such as `the registry` */
  constructor(what: string, log: Log, clock: Clock) {
    this.#what = what
    this.#log = log
    this.#clock = clock
  }

  /** A try failed. @param consequence what is done meanwhile, such as `using the last known list` */
  failed(cause: unknown, consequence: string): void {
    const now = this.#clock.monotonic()
    if (this.#state.at === 'fine') this.#state = { at: 'failing', since: now }
    if (this.#state.at === 'told' || now - this.#state.since < PATIENCE_MS) return
    this.#state = { at: 'told', since: this.#state.since }
    this.#log.warning(`${this.#what} is away: ${consequence}`, { cause: reasonOf(cause) })
  }

  /** A try succeeded. */
  over(): void {
    if (this.#state.at === 'told') {
      const seconds = Math.round((this.#clock.monotonic() - this.#state.since) / 1000)
      this.#log.info(`${this.#what} is back after ${seconds} s`)
    }
    this.#state = { at: 'fine' }
  }
}

/** fetch says `fetch failed` and hides the reason in `cause`. */
function reasonOf(fault: unknown): string {
  const cause = fault instanceof Error && fault.cause instanceof Error ? fault.cause : fault
  return cause instanceof Error ? cause.message || String(cause) : String(cause)
}
