/**
 * What the supervisor runs: something with a name that is launched, gets ready, may end, and is launched again. What it is, a role or a command of
 * somebody's, only whoever makes it knows.
 */
export interface Unit {
  /** Its own name, such as `user` or `user-2`. */
  readonly name: string
  /** What it is a replica of, by whose name others need it, such as `user`. */
  readonly replicaOf: string
  /** Its name in the registry, where that is known before it runs. */
  readonly service?: string
  /** Names of what must be ready first. */
  readonly needs: readonly string[]
  /** Tells it from one of its name that is run otherwise: the same text, the same unit. */
  readonly definition: string
  /** What it can be told anew while it runs: another text, and it is reloaded. Absent: nothing. */
  readonly reloadable?: string
  /** Where it finds others, by the names that it knows them by. It learns at its next start of those that come and go; one that has moved it must be told. */
  readonly addresses?: Readonly<Record<string, string>>
  /** Whether the platform stops when this one refuses to start, and isn't ready before it is. Else its state says why, and the rest runs. */
  readonly essential: boolean
  /** For how long it may give no sign of life once it is ready, milliseconds; `Infinity` for one that is left alone. */
  readonly livenessMs: number
  /** How long what is under way may take when it is stopped, milliseconds. */
  readonly drainMs: number
  /** Ready for less than this before it ends, it counts as never ready, milliseconds: for what is ready as soon as it runs. */
  readonly provenMs: number
  /** How often it is started again before it has been ready for 10 s; `Infinity` for one that is never given up. */
  readonly restartBudget: number
  /** What becomes of it when it has ended by itself, by how it did. */
  afterEnd(how: string): 'again' | 'finished' | 'failed'
  /** Launches it, to wait for its `start`: what takes long without needing anyone (booting, loading) happens now. */
  launch(): LaunchedUnit
}

/** What a started unit says of itself. */
export interface Started {
  readonly service: string
  readonly instance: string
  /** Where it listens. Absent for one that doesn't. */
  readonly url?: string
  /** Where others reach it, as it is registered. Absent for one that isn't. */
  readonly advertised?: string
}

/** What the lives of a unit before this one leave to it. */
export interface Inheritance {
  /** What it was when it was ready. */
  readonly last?: Started
  /** Why the one before it ended. Default: it is the first. */
  readonly after?: string
}

/** One life of a unit, from its launch to its end. */
export interface LaunchedUnit {
  /** Its process; 0 while there is none. */
  readonly pid: number
  /**
   * Starts it; resolves when it is ready. Rejects with an AppError: `START_FAILED` with its own words when it
   * refused (a taken port, a broken store), `CONFIG_INVALID` where its configuration is to blame, `UNAVAILABLE` when it ended without a word.
   * @param tell told what it is doing meanwhile, in a few words such as `building`
   */
  start(inheritance: Inheritance, tell: (doing: string) => void): Promise<Started>
  /** Asks for a sign of life; resolves when it comes, which is never for one that hangs. Asked again before, it asks no second time. */
  probe(): Promise<void>
  /** Tells it what was planned last of what its unit calls `reloadable`, while it is ready; resolves once it goes by it. Rejects with why it can't. */
  reload?(): Promise<void>
  /** Told when it has given no sign of life for a while, and when it does again. */
  onSilence?(isSilent: boolean): void
  /** Asks it to drain and end. `exited` tells when it has. */
  stop(): void
  /** Ends it at once, whatever it is doing. */
  kill(): void
  /** Resolves, never rejects, with how it ended: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>
}
