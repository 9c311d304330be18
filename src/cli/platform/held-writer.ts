/** How long text that isn't urgent waits for more, milliseconds: nobody who reads sees that. */
const HOLD_MS = 100
/** From so many characters on it waits no longer. */
const MOST = 65_536

/** Writes text in its order, what isn't urgent a tenth of a second later and together. */
export interface HeldWriter {
  write(text: string, when?: 'now' | 'soon'): void
  /** Writes what is held. */
  flush(): void
}

/**
 * Makes a writer. A write into a pipe wakes who reads it, which takes a quarter of a millisecond where both share a core, and a busy role has a hundred
 * lines a second to say.
 */
export function createHeldWriter(write: (text: string) => void): HeldWriter {
  let held = ''
  let timer: NodeJS.Timeout | undefined

  function flush() {
    clearTimeout(timer)
    timer = undefined
    const text = held
    held = ''
    if (text !== '') write(text)
  }

  return {
    write(text, when = 'now') {
      held += text
      if (when === 'now' || held.length > MOST) flush()
      // what ends the process flushes
      else timer ??= setTimeout(flush, HOLD_MS).unref()
    },
    flush,
  }
}
