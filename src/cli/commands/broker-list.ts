import type { Session } from '../session/session.ts'
import { MAX_LIMIT } from './limit.ts'

/** The broker gives at most so many at once. */
const PAGE = 1_000

/** A page of a list, and where the next one begins; null at the end. */
interface ListPage<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

/** Which of the broker's lists is printed, and how. */
export interface BrokerList<T> {
  /** How many at most. */
  readonly limit: number
  /** What is said where there is none. */
  readonly none: string
  /** Asks for a page. Rejects as `Api.ask` does. */
  ask(query: Readonly<Record<string, string | number>>): Promise<ListPage<T>>
  /** An item for people. */
  text(item: T): string
}

/** Prints a list that the broker gives page by page, each page as it comes. Rejects as `ask` does. */
export async function printList<T>(session: Session, { limit, none, ask, text }: BrokerList<T>): Promise<void> {
  let left = limit
  let next: string | null = null
  do {
    const page: ListPage<T> = await ask({ limit: Math.min(PAGE, left), ...(next !== null && { after: next }) })
    for (const item of page.items) {
      session.print(text(item))
      session.printJson(item)
    }
    left -= page.items.length
    next = page.next
  } while (next !== null && left > 0)
  if (left === limit) session.messages.info(none)
  if (next === null) return
  const hint = limit < MAX_LIMIT ? `: --limit takes up to ${MAX_LIMIT}` : ''
  session.messages.info(`there are more than these ${limit}${hint}`)
}
