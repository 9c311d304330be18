import type { Hono } from 'hono'
import * as z from 'zod'
import type { Bus, DeadLetter } from '../../drivers/bus/contract.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../../kit/errors.ts'
import { parseJson, readBody } from '../../kit/http/body.ts'
import { Limit } from '../../kit/http/paging.ts'
import { parseInput, route } from '../../kit/http/route.ts'
import type { AppEnv } from '../../kit/role.ts'
import { DeadLetter as DeadLetterSchema, Redrive } from './contract.ts'
import { eventId } from './event-identity.ts'
import type { KnownSubscriptions } from './known-subscriptions.ts'
import { deadLetterJson, JSON_HEADERS } from './message-json.ts'
import type { Ownership } from './ownership.ts'

/** Dead letters read, and ids of them named, at a time: each is a look of its own. */
const PAGE = 100

const LettersQuery = z.object({
  subscription: z.string().min(1).max(255).optional(),
  limit: Limit,
  after: z.string().min(1).max(255).optional(),
})

/** What the routes work with. */
export interface DeadLetterRoutesOptions {
  readonly bus: Bus
  readonly known: Pick<KnownSubscriptions, 'find'>
  readonly ownership: Pick<Ownership, 'checkLook'>
}

/** The routes that show the messages that failed too often, and give them another chance. */
export function deadLetterRoutes(app: Hono<AppEnv>, { bus, known, ownership }: DeadLetterRoutesOptions): void {
  app.get(
    '/broker/dead-letters',
    route({
      summary: 'Messages that failed too often, oldest first',
      scope: 'messages:read',
      query: LettersQuery,
      invalid: 'Invalid query',
      responses: { 200: z.object({ dead_letters: z.array(DeadLetterSchema), next: z.string().nullable() }) },
    }),
    async (c) => {
      const { subscription, limit, after } = c.req.valid('query')
      ownership.checkLook(subscription === undefined ? undefined : await known.find(subscription))
      const filter = filterBy(subscription)
      const letters = await page(bus, { ...filter, limit, ...(after !== undefined && { after }) })
      const last = letters.at(-1)?.cursor
      const isEnd = last === undefined || (await bus.deadLetters({ ...filter, limit: 1, after: last })).length === 0
      const next = isEnd ? null : last
      return c.body(
        `{"dead_letters":[${letters.map(deadLetterJson).join(',')}],"next":${JSON.stringify(next)}}`,
        200,
        JSON_HEADERS,
      )
    },
  )

  app.post(
    '/broker/dead-letters/redrive',
    route({
      summary: 'Give dead letters another chance: those named, or all',
      scope: 'messages:admin',
      responses: { 200: z.object({ redriven: z.int() }) },
    }),
    async (c) => {
      const body = await readBody(c)
      const { subscription, ids } = parseInput(Redrive, body.length === 0 ? {} : parseJson(body), 'Invalid redrive')
      const filter = filterBy(subscription)
      const chosen = ids && (await busIds(bus, filter, ids))
      return c.json({ redriven: chosen?.length === 0 ? 0 : await redriveAll(bus, filter, chosen) })
    },
  )
}

type PageOptions = Parameters<Bus['deadLetters']>[0]

/** Reads dead letters. A cursor that the bus doesn't know is the caller's mistake: AppError `INVALID_REQUEST`. */
async function page(bus: Bus, options: PageOptions): Promise<readonly DeadLetter[]> {
  try {
    return await bus.deadLetters(options)
  } catch (fault) {
    if (!(fault instanceof DriverError) || fault.kind !== 'invalid') throw fault
    throw new AppError('INVALID_REQUEST', 'Invalid query', { detail: `after: ${fault.message}`, cause: fault })
  }
}

/** Which dead letters are meant: one subscription's, or all. */
interface Filter {
  readonly subscription?: string
}

const filterBy = (subscription: string | undefined): Filter => (subscription === undefined ? {} : { subscription })

/** Redrives until there is nothing left to, or no room for more. */
async function redriveAll(bus: Bus, filter: Filter, ids: readonly string[] | undefined): Promise<number> {
  let redriven = 0
  for (let at = 0; at < (ids?.length ?? 1); ) {
    const count = await bus.redrive({ ...filter, ...(ids && { ids: ids.slice(at, at + PAGE) }) })
    redriven += count
    if (count === 0) at += PAGE
  }
  return redriven
}

/** The bus's own ids of dead letters that their publishers gave these ids. */
async function busIds(bus: Bus, filter: Filter, ids: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const id of new Set(ids)) {
    let after: string | undefined
    for (;;) {
      const letters = await bus.deadLetters({ ...filter, id, limit: PAGE, ...(after !== undefined && { after }) })
      for (const letter of letters) if (eventId(letter) === id) found.add(letter.id)
      after = letters.at(-1)?.cursor
      if (after === undefined) break
    }
  }
  return [...found]
}
