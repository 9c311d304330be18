import { vi } from 'vitest'

/** What came of one request; status 0: no answer. */
export interface Answer {
  readonly at: number
  readonly status: number
  readonly instance: string
  /** Why there is no answer. */
  readonly why?: string
}

/** Asks for a path so often a second, whatever the answers, until it is told to stop; every answer is kept. */
export function load(url: string, perSecond: number) {
  const answers: Answer[] = []
  const under = new Set<Promise<void>>()
  async function ask() {
    const at = Date.now()
    try {
      const answer = await fetch(url)
      await answer.text()
      answers.push({ at, status: answer.status, instance: answer.headers.get('x-instance') ?? '' })
    } catch (fault) {
      const why = fault instanceof Error && fault.cause !== undefined ? String(fault.cause) : String(fault)
      answers.push({ at, status: 0, instance: '', why })
    }
  }
  const timer = setInterval(() => {
    const asked = ask().finally(() => under.delete(asked))
    under.add(asked)
  }, 1_000 / perSecond)
  return {
    answers,
    async stop() {
      clearInterval(timer)
      await Promise.all(under)
      return answers
    },
  }
}

/** Those that went wrong. */
export const failed = (answers: readonly Answer[]) => answers.filter(({ status }) => status !== 200)

/** The instances that answered what was asked since then. */
export const answering = (answers: readonly Answer[], since: number) =>
  new Set(answers.filter(({ at }) => at >= since).map(({ instance }) => instance))

/** Asks for a path until two instances have answered. */
export async function bothAnswer(url: string): Promise<void> {
  const seen = new Set<string>()
  await vi.waitUntil(
    async () => {
      const answer = await fetch(url)
      seen.add(answer.headers.get('x-instance') ?? '')
      await answer.text()
      return seen.size >= 2
    },
    { timeout: 20_000, interval: 10 },
  )
}
