import { createHash } from 'node:crypto'
import type { Clock } from '../../drivers/clock.ts'
import { type KeyRing, keyFileText, toKeyRing, type VerifyingKey } from './key-files.ts'

/** How long keys are used before their file is looked at again, milliseconds. */
const REREAD_MS = 5_000

/**
 * The keys of a platform in one file that it doesn't make (`readKeyFile`). It is looked at again every 5 s while they are used, so that what takes its place
 * counts, as where Kubernetes swaps the link that a mounted secret is. What can't be read, or holds no usable keys, leaves the last ones in use.
 */
export class MountedKeys {
  readonly #path: string
  readonly #clock: Pick<Clock, 'monotonic'>
  #ring: KeyRing | undefined
  /** Of the text that was read last. */
  #digest = ''
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #fault: unknown

  constructor(path: string, clock: Pick<Clock, 'monotonic'>) {
    this.#path = path
    this.#clock = clock
  }

  /** The keys that count now. Rejects with AppError `CONFIG_INVALID`, as `readKeyFile` does, while there were no usable ones yet. */
  async ring(): Promise<KeyRing> {
    this.#look()
    await this.#reading
    if (this.#ring) return this.#ring
    throw this.#fault
  }

  /** Whether a key counts still; false where `ring` has to be asked. */
  has(key: VerifyingKey): boolean {
    this.#look()
    return this.#reading === undefined && this.#ring?.verifying.get(key.kid) === key
  }

  #look(): void {
    const now = this.#clock.monotonic()
    if (this.#reading || (this.#ring && now - this.#readAt < REREAD_MS)) return
    this.#readAt = now
    try {
      const text = keyFileText(this.#path)
      const digest = createHash('sha256').update(text).digest('base64')
      if (this.#ring && digest === this.#digest) return
      this.#digest = digest
      this.#reading = this.#take(text)
    } catch (fault) {
      this.#fault = fault
    }
  }

  async #take(text: string): Promise<void> {
    try {
      this.#ring = await toKeyRing(text, this.#path)
    } catch (fault) {
      this.#fault = fault
    } finally {
      this.#reading = undefined
    }
  }
}
