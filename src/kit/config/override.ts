import type { Path } from './locate.ts'

/** One value from outside the file, and the name that a fault in it is reported under. */
export interface Override {
  readonly path: Path
  readonly value: unknown
  /** `PORT`, `--port`. */
  readonly from: string
}

/** What the environment says about the configuration. */
export interface EnvironmentValues {
  readonly overrides: readonly Override[]
  /** SERVICE_NAME: what the served role registers as. */
  readonly service?: string
  readonly faults: readonly string[]
}
