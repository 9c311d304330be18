import * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import { DeadLetterPage } from '../../roles/broker/contract.ts'
import { createPaint } from '../render/paint.ts'
import { visibleText } from '../render/visible-text.ts'
import { connect } from '../session/api.ts'
import type { Session } from '../session/session.ts'
import { printList } from './broker-list.ts'
import { parseLimit } from './limit.ts'

const LIST = 'see msvc dead-letters list'

/** Which dead letters a command is about, as commander gives it. */
export interface LettersFlags {
  readonly subscription?: string
  readonly all?: boolean
}

/** `msvc dead-letters list`: two lines for each, or one of JSON. */
export async function listDeadLetters(
  session: Session,
  { subscription, limit }: Pick<LettersFlags, 'subscription'> & { readonly limit: string },
): Promise<void> {
  const most = parseLimit(limit)
  const api = await connect(session, 'broker')
  const paint = createPaint(session.io.out.colour)
  const of = subscription === undefined ? {} : { subscription }
  await printList(session, {
    limit: most,
    none: 'no message is a dead letter',
    async ask(page) {
      const { dead_letters: items, next } = await api.ask(DeadLetterPage, '/broker/dead-letters', {
        query: { ...of, ...page },
      })
      return { items, next }
    },
    text({ id, topic, offset, timestamp, deliveries, subscription: where, reason }) {
      const times = deliveries === 1 ? '1 delivery' : `${deliveries} deliveries`
      const why = visibleText(`${times} to ${where}: ${reason}`)
      return `${visibleText(`${id}  ${topic} ${offset}  ${timestamp}`)}\n  ${paint.dim(why)}`
    },
  })
}

/**
 * `msvc dead-letters redrive` and `discard`: says how many. Throws AppError `USAGE` where nothing says which, `NOT_FOUND` where none has one of the ids
 * that are named, and as `Api.ask` does.
 */
export async function settleDeadLetters(
  session: Session,
  verb: 'redrive' | 'discard',
  { ids, subscription, all = false }: LettersFlags & { readonly ids: readonly string[] },
): Promise<void> {
  const isNamed = ids.length > 0 || subscription !== undefined
  if (!isNamed && !all) {
    const every = verb === 'redrive' ? ', or every one with --all' : ''
    throw new AppError('USAGE', `which dead letters? name their ids (${LIST}), or a --subscription${every}`)
  }
  if (isNamed && all) throw new AppError('USAGE', '--all means every dead letter: name no ids and no --subscription')
  const api = await connect(session, 'broker')
  const done = verb === 'redrive' ? 'redriven' : 'discarded'
  const answer = await api.ask(z.object({ [done]: z.int() }), `/broker/dead-letters/${verb}`, {
    method: 'POST',
    body: { ...(ids.length > 0 && { ids }), ...(subscription !== undefined && { subscription }) },
  })
  const count = answer[done] ?? 0
  if (count === 0 && ids.length > 0) {
    throw new AppError('NOT_FOUND', `none was ${done}: no dead letter there has ${idsText(ids)}; ${LIST}`)
  }
  session.print(`${done} ${count}`)
  session.printJson({ [done]: count })
}

function idsText([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? `the id ${visibleText(first)}` : 'one of these ids'
}
