/** Bells of one process, by name, and who listens for them. */
export class Bells {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** Calls back whoever listens for a bell, or for any. */
  ring(bell: string): void {
    for (const callback of this.#listeners.get(bell) ?? []) callback()
  }

  /** Rings all there are: each may have been rung for without being heard. */
  ringAll(): void {
    for (const bell of this.#listeners.keys()) this.ring(bell)
  }

  /** Calls back at each ring, until what is returned is called. */
  onRing(bell: string, callback: () => void): () => void {
    const listeners = this.#listeners.get(bell) ?? new Set()
    this.#listeners.set(bell, listeners.add(callback))
    return () => listeners.delete(callback)
  }
}
