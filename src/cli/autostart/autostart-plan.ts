/** A platform that the system starts with the machine. */
export interface AutostartPlan {
  /** What the system calls it. */
  readonly name: string
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** What has it follow its changed file. */
  readonly reload: readonly string[]
  /** Where it runs. */
  readonly folder: string
  /** Its data folder. */
  readonly data: string
  /** Who runs it. */
  readonly user: string
  /** Seconds that it takes at most to stop in order. */
  readonly stopSeconds: number
}

/** Letters, digits and dashes: what every system takes for the name of a service. */
export const SERVICE_NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/i
