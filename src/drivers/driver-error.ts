/**
 * What went wrong in a driver, in words that hold for every backend. The kit turns a kind into a code and a status.
 * - `invalid`: the address or the call is wrong; trying again won't help.
 * - `conflict`: a unique value is taken, or a version is stale.
 * - `not-found`: the subscription or row named does not exist.
 * - `unavailable`: the backend can't be reached or failed; trying again may help.
 * - `damaged`: the file can't be read as it should be; trying again won't help, a copy or a new one will.
 * - `full`: no room on the disk; what was acknowledged before is safe.
 * - `too-many`: as many of what is kept by name, or waits for its time, as there may be; those that are there go on.
 * - `too-large`: one piece has more bytes than the backend takes at all; trying again won't help, less will.
 * - `closed`: the driver was closed while or before this was asked.
 */
export type DriverErrorKind =
  | 'invalid'
  | 'conflict'
  | 'not-found'
  | 'unavailable'
  | 'damaged'
  | 'full'
  | 'too-many'
  | 'too-large'
  | 'closed'

/** What a driver's error may say besides its message. */
interface DriverErrorOptions extends ErrorOptions {
  /** Seconds after which it is worth trying again. Default: not known; for `too-many` a minute, in which somebody may have removed something. */
  readonly retryAfterS?: number
  /** The message for who asks from outside, where it tells of the backend's insides, such as a user's name. Default: the message. */
  readonly told?: string
}

/** The only error that leaves a driver. `cause` keeps the backend's own. */
export class DriverError extends Error {
  override readonly name = 'DriverError'
  readonly kind: DriverErrorKind
  /** Seconds after which it is worth trying again; undefined where that isn't known. */
  readonly retryAfterS: number | undefined
  /** What whoever asks from outside may be told; the message is for logs and for who runs it. */
  readonly told: string

  constructor(kind: DriverErrorKind, message: string, options: DriverErrorOptions = {}) {
    super(message, options)
    this.kind = kind
    this.told = options.told ?? message
    this.retryAfterS = options.retryAfterS ?? (kind === 'too-many' ? 60 : undefined)
  }
}
