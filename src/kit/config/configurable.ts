import type * as z from 'zod'

/** What the configuration knows of a role. */
export interface Configurable {
  /** CLI word and section. */
  readonly name: string
  /** Registered name: what `X_URL` in the environment speaks of. */
  readonly service: string
  /** Default port. */
  readonly port: number
  /** Its own section, without `port`, `host` and `advertise`. */
  readonly config: z.ZodType
}
