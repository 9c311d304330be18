/** How a question is repeated. */
export interface Insistence<T> {
  /** When it is asked again, in milliseconds after the first time, each later than the one before. */
  readonly again: readonly number[]
  /** Whether it is still worth asking again. */
  readonly isWanted: () => boolean
  /** Takes an answer that came after another one. Default: it is dropped. */
  readonly surplus?: (answer: T) => void
}

/**
 * Asks again while there is no answer, and takes the first that comes, to whichever time it was asked: a question that got lost costs no more than the time
 * to the next one, and whoever is slow is still heard. Rejects with the first fault: that of a time limit is the first question's, as it was asked first.
 */
export function insist<T>(
  question: () => Promise<T>,
  { again, isWanted, surplus = () => {} }: Insistence<T>,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let isOver = false
  let timer: NodeJS.Timeout | undefined
  const end = () => {
    isOver = true
    clearTimeout(timer)
  }
  const ask = (times: number) => {
    const next = again[times]
    if (next !== undefined) timer = setTimeout(() => isWanted() && ask(times + 1), next - (again[times - 1] ?? 0))
    question().then(
      (answer) => {
        if (isOver) surplus(answer)
        else resolve(answer)
        end()
      },
      (fault: unknown) => {
        reject(fault)
        end()
      },
    )
  }
  ask(0)
  return promise
}
