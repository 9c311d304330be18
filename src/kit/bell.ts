/** Calls back whoever wants to hear of something that happens again and again. */
export interface Bell {
  ring(): void
  /** Calls back with each ring from now on. @returns what ends that */
  heed(then: () => void): () => void
}

/** Makes a bell; who heeds it must not throw. */
export function createBell(): Bell {
  const heeding = new Set<() => void>()
  return {
    ring() {
      for (const then of heeding) then()
    },
    heed(then) {
      heeding.add(then)
      return () => void heeding.delete(then)
    },
  }
}
