import type { Section, Settings } from '../config/schema.ts'
import type { Step } from './protocol.ts'

/** All that one copy of a role is told to start with. Travels as JSON to a process of its own. */
export interface Job {
  /** CLI word. */
  readonly role: string
  readonly settings: Settings
  readonly section: Section
  readonly registryUrl: string
  /** Nobody else may have its databases open. Default false. */
  readonly alone?: boolean
  /** Why the copy before it ended: the log is told, which the terminal alone would be otherwise. Default: it is the first. */
  readonly after?: string
  /** Its name in the registry instead of the role's own. */
  readonly service?: string
}

/** What a started copy says of itself. */
export interface Started {
  readonly service: string
  readonly instance: string
  readonly url: string
  /** Where others reach it, as it is registered. */
  readonly advertised: string
}

/** One launched copy of a role, in a process of its own or in this one. */
export interface Member {
  readonly pid: number
  /**
   * Starts the role; resolves when it is ready. Rejects with an AppError: `START_FAILED` with the role's own words when it
   * refused (a taken port, a broken store), `CONFIG_INVALID` where its configuration is to blame, `UNAVAILABLE` when it ended without a word.
   */
  start(job: Job): Promise<Started>
  /** Asks for a sign of life; resolves when it comes, which is never for one that hangs. Asked again before, it asks no second time. */
  probe(): Promise<void>
  /**
   * Has it take a step of a cutover; resolves once it has. Rejects with AppError `CONFLICT` and its own words when it can't, `UNAVAILABLE` when it ended
   * first.
   */
  take(step: Step): Promise<void>
  /** Asks it to drain and end. `exited` tells when it has. */
  stop(): void
  /** Ends it at once, whatever it is doing. */
  kill(): void
  /** Resolves, never rejects, with how it ended: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>
}

/**
 * Launches a copy of a role that waits for its `start`: what takes long without needing anyone (booting, loading) happens now.
 * @param unit the copy's name, such as `user` or `user-2`
 */
export type Launch = (role: string, unit: string) => Member
