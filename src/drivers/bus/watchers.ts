import { type TopicPattern, topicPattern } from './topic-pattern.ts'

interface Watcher {
  readonly pattern: TopicPattern
  readonly notify: () => void
}

/** Who wants to hear that something was published. */
export class Watchers {
  readonly #watchers = new Set<Watcher>()

  /** Calls back after publications to topics that fit; returns how to stop. */
  add(pattern: string, notify: () => void): () => void {
    const watcher = { pattern: topicPattern(pattern), notify }
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  /**
   * Tells each whose pattern fits one of the topics, once, in a microtask of its own: its faults are not the publisher's.
   * @param names undefined for more than are worth comparing: everybody is told
   */
  published(names: readonly string[] | undefined): void {
    for (const watcher of this.#watchers) {
      if (names?.some((name) => watcher.pattern.matches(name)) === false) continue
      queueMicrotask(() => {
        if (this.#watchers.has(watcher)) watcher.notify()
      })
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#watchers.clear()
  }
}
