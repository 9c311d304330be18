let waiting: (() => void)[] = []

/**
 * Runs `work` once all requests that arrived together have been looked at, with everybody else's. Writing to a socket wakes its reader, and
 * waking a sleeping one costs more than a usual request: written one after the other, many answers share one awakening (measured:
 * 28 000 → 39 000 requests a second). A lone request waits for nothing.
 */
export function atEndOfTurn(work: () => void): void {
  if (waiting.push(work) === 1) setImmediate(runWaiting)
}

function runWaiting(): void {
  const works = waiting
  waiting = []
  let done = 0
  try {
    for (; done < works.length; done++) works[done]?.()
  } finally {
    // one that throws doesn't take the others with it
    for (const work of works.slice(done + 1)) atEndOfTurn(work)
  }
}
