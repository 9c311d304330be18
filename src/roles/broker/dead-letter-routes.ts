import type { Hono } from 'hono'
import * as z from 'zod'
import type { BusAdministration, DeadLetterChoice } from '../../drivers/bus/administration.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { parseJson, readBody } from '../../kit/http/body.ts'
import { Limit } from '../../kit/http/paging.ts'
import { parseInput, route } from '../../kit/http/route.ts'
import { DeadLetterPage, Discard, Redrive } from './contract.ts'
import { eventId } from './event-identity.ts'
import type { KnownSubscriptions } from './known-subscriptions.ts'
import { listedPage } from './listed-page.ts'
import { deadLetterJson, JSON_HEADERS } from './message-json.ts'
import type { Ownership } from './ownership.ts'

/** Dead letters read, and ids of them named, at a time: each is a look of its own. */
const PAGE = 100

const LettersQuery = z.strictObject({
  subscription: z.string().min(1).max(255).optional(),
  limit: Limit,
  after: z.string().min(1).max(255).optional(),
})

/** What the routes work with. */
export interface DeadLetterRoutesOptions {
  readonly bus: Pick<BusAdministration, 'deadLetters' | 'redrive' | 'discard'>
  readonly known: Pick<KnownSubscriptions, 'find'>
  readonly ownership: Pick<Ownership, 'checkLook'>
}

/** The routes that show the messages that failed too often, give them another chance, and throw them away. */
export function deadLetterRoutes(app: Hono<AppEnv>, { bus, known, ownership }: DeadLetterRoutesOptions): void {
  app.get(
    '/broker/dead-letters',
    route({
      summary: 'Messages that failed too often, oldest first',
      scope: 'messages:read',
      query: LettersQuery,
      invalid: 'Invalid query',
      responses: { 200: DeadLetterPage },
    }),
    async (c) => {
      const { subscription, limit, after } = c.req.valid('query')
      ownership.checkLook(subscription === undefined ? undefined : await known.find(subscription))
      const filter = filterBy(subscription)
      const { items, next } = await listedPage((page) => bus.deadLetters({ ...filter, ...page }), limit, after)
      return c.body(
        `{"dead_letters":[${items.map(deadLetterJson).join(',')}],"next":${JSON.stringify(next)}}`,
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
      return c.json({ redriven: await each(bus, { subscription, ids }, (chosen) => bus.redrive(chosen)) })
    },
  )

  app.post(
    '/broker/dead-letters/discard',
    route({
      summary: 'Throw dead letters away: those named, or all of a subscription',
      scope: 'messages:admin',
      body: Discard,
      invalid: 'Invalid discard',
      responses: { 200: z.object({ discarded: z.int() }) },
    }),
    async (c) => c.json({ discarded: await each(bus, c.req.valid('json'), (chosen) => bus.discard(chosen)) }),
  )
}

/** Which dead letters are meant: one subscription's, or all. */
type Filter = Pick<DeadLetterChoice, 'subscription'>

const filterBy = (subscription: string | undefined): Filter => (subscription === undefined ? {} : { subscription })

/**
 * Does something with dead letters until there is nothing left to do, or no room for more.
 * @param act does it with some of those chosen; gives how many
 */
async function each(
  bus: Pick<BusAdministration, 'deadLetters'>,
  { subscription, ids: named }: z.output<typeof Redrive>,
  act: (chosen: DeadLetterChoice) => Promise<number>,
): Promise<number> {
  const filter = filterBy(subscription)
  const ids = named && (await busIds(bus, filter, named))
  let done = 0
  for (let at = 0; at < (ids?.length ?? 1); ) {
    const count = await act({ ...filter, ...(ids && { ids: ids.slice(at, at + PAGE) }) })
    done += count
    if (count === 0) at += PAGE
  }
  return done
}

/** The bus's own ids of dead letters that their publishers gave these ids. */
async function busIds(
  bus: Pick<BusAdministration, 'deadLetters'>,
  filter: Filter,
  ids: readonly string[],
): Promise<readonly string[]> {
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
