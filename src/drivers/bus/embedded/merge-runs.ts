/** A message's place in its topic and among all topics. */
export interface Place {
  readonly offset: number
  readonly position: number
}

/** Where a run begins: at `offset`. */
export interface RunStart {
  readonly offset: number
  /** The place of that first message where it is known already; filled in when it had to be fetched. */
  head?: Place | undefined
}

interface Run<S> {
  readonly start: S
  places: readonly Place[]
  at: number
  /** Nothing follows `places`. */
  ended: boolean
}

/**
 * The positions of several topics' messages in the order they were stored: a merge of runs that are each in order,
 * fetched in pieces, so that its cost follows what is taken and not what is waiting.
 * @param starts where each run begins.
 * @param fetch the places of a run from an offset on, at most `limit`; fewer mean that it ends there.
 * @param limit most positions to give.
 */
export function* mergeRuns<S extends RunStart>(
  starts: readonly S[],
  fetch: (start: S, offset: number, limit: number) => readonly Place[],
  limit: number,
): Generator<number> {
  const piece = Math.min(limit, Math.ceil((2 * limit) / starts.length))
  const runs = starts.map((start): Run<S> => {
    if (start.head !== undefined) return { start, places: [start.head], at: 0, ended: false }
    const places = fetch(start, start.offset, piece)
    start.head = places[0]
    return { start, places, at: 0, ended: places.length < piece }
  })
  for (let left = limit; left > 0; left--) {
    const run = lowest(runs)
    const place = run?.places[run.at]
    if (run === undefined || place === undefined) return
    yield place.position
    if (++run.at === run.places.length && !run.ended) {
      run.places = fetch(run.start, place.offset + 1, piece)
      run.at = 0
      run.ended = run.places.length < piece
    }
  }
}

function lowest<S>(runs: readonly Run<S>[]): Run<S> | undefined {
  let found: Run<S> | undefined
  let position = Number.POSITIVE_INFINITY
  for (const run of runs) {
    const place = run.places[run.at]
    if (place !== undefined && place.position < position) {
      found = run
      position = place.position
    }
  }
  return found
}
