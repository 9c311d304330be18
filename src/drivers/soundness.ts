import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { DriverError } from './driver-error.ts'
import { asDamage, isDamage } from './sqlite-soundness.ts'

const STOPPED = 'nothing is written any more; start this role again to use what lies there now'

/**
 * Whether an open database is still the file that it was. Opening looks for damage (sqlite-soundness.ts), but most of a large file is read only
 * when it is asked for; and whoever puts another file in its place, or removes it, would have what is acknowledged from then on written to
 * where nobody finds it.
 */
export class Soundness {
  readonly #path: string
  readonly #identity: string | undefined
  readonly #lost = Promise.withResolvers<DriverError>()
  #damage: DriverError | undefined
  #foreign: DriverError | undefined

  /** @param path the file, which must be there */
  constructor(path: string) {
    this.#path = path
    this.#identity = identityOf(path)
  }

  /** Resolves with why it must not be used any more; never while all is well. */
  get unsound(): Promise<DriverError> {
    return this.#lost.promise
  }

  /** The first damage that was met. */
  get damage(): DriverError | undefined {
    return this.#damage
  }

  /** False while another file, or none, lies where the opened one did. */
  get isInPlace(): boolean {
    return identityOf(this.#path) === this.#identity
  }

  /** Takes note of a fault of the database, as node:sqlite threw it, where it says that the file is damaged. */
  note(fault: unknown): void {
    const damage = asDamage(fault, this.#path)
    if (this.#damage !== undefined || !isDamage(damage)) return
    this.#damage = damage
    this.#lost.resolve(damage)
  }

  /**
   * For a file that has one writer: another one wrote to it, so that what is kept of it in memory is wrong. Throws DriverError `unavailable`, now
   * and whenever it is wanted.
   */
  refuseForeign(): never {
    const what = `${basename(this.#path)} was written by another program while it was open`
    this.#foreign ??= new DriverError('unavailable', `${what}: ${STOPPED}`)
    this.#lost.resolve(this.#foreign)
    throw this.#foreign
  }

  /**
   * Throws DriverError `damaged` once damage was met, and `unavailable` while another file, or none, lies in its place: what would be
   * written now could be lost. Its message may be shown to callers. Takes some 3 µs.
   */
  want(): void {
    const name = basename(this.#path)
    if (this.#damage !== undefined) {
      throw new DriverError('damaged', `${name} is damaged: nothing is written to it any more`, { cause: this.#damage })
    }
    if (this.#foreign !== undefined) throw this.#foreign
    if (this.isInPlace) return
    const fault = new DriverError('unavailable', `${name} was removed or replaced while it was open: ${STOPPED}`)
    this.#lost.resolve(fault)
    throw fault
  }
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino}`
}
