const waiting: (() => boolean)[] = []
/** How many at the head of `waiting` have had their turn. */
let served = 0

/**
 * Runs `goOn` when it is this one's turn. Who sends much, or in so small pieces that parsing them is most of the work, stops after some of it and waits
 * here with all others of that kind, one of whom goes on in each turn of the loop: however many they are, the rest of it is everybody else's.
 * @param goOn does some milliseconds' work at most; false when there was nothing left to do, so that the turn is the next one's
 */
export function inGreedyTurn(goOn: () => boolean): void {
  if (waiting.push(goOn) === 1) setImmediate(serve)
}

function serve(): void {
  while (served < waiting.length && waiting[served++]?.() !== true);
  if (served > waiting.length / 2) {
    waiting.splice(0, served)
    served = 0
  }
  if (waiting.length > 0) setImmediate(serve)
}
