import { Slice } from '../../../drivers/slice.ts'
import type { Asker } from '../../../kit/auth/asker.ts'
import { isAnotherService } from '../../../kit/auth/ownership.ts'
import { AppError } from '../../../kit/errors.ts'
import { createAdopting } from './adopting.ts'
import { MAX_OTLP_ITEMS } from './bounds.ts'
import { type Encoding, type Signal, walkRequest } from './requests.ts'
import type { Found } from './walked.ts'

/** What is taken of a request. */
export interface SiftedRequest<T> {
  readonly items: readonly T[]
  readonly rejected: number
  /** Why not all are taken; empty when they are. */
  readonly why: string
}

/** Whose telemetry is that says nothing (https://opentelemetry.io/docs/specs/semconv/resource/#service). */
const UNKNOWN = 'unknown_service'
/** Reasons that a message names. */
const MAX_REASONS = 3

/**
 * Reads a request, in slices that let others have their turns: what of it is taken, and what isn't, such as spans without an id and what a service says
 * in another one's name. Rejects with AppError `INVALID_BODY`, `BODY_TOO_LARGE`, and `FORBIDDEN` when all of it is in another service's name.
 */
export async function siftRequest<I, T>(
  body: Buffer,
  encoding: Encoding,
  signal: Signal<I, T>,
  asker: Asker | undefined,
): Promise<SiftedRequest<T>> {
  const slice = new Slice()
  const reasons = new Reasons()
  const walked: Found<I>[] = []
  for (const found of walkRequest(body, encoding, signal)) {
    if (found && walked.push(found) > MAX_OTLP_ITEMS) {
      throw new AppError('BODY_TOO_LARGE', `A request holds at most ${MAX_OTLP_ITEMS} ${signal.plural}; send several`)
    }
    if (slice.isOver) await slice.next()
  }
  const adopting = createAdopting(asker?.is === 'service' ? asker.subject : UNKNOWN)
  const items: T[] = []
  let foreign = 0
  for (const [index, found] of walked.entries()) {
    if (slice.isOver) await slice.next()
    if ('refused' in found) {
      reasons.add(index, found.refused)
      continue
    }
    const from = adopting(found.scope)
    const item = typeof from === 'string' ? from : signal.adopt(found.item, from)
    if (typeof from !== 'string' && isAnotherService(asker, from.service)) {
      foreign++
      reasons.add(index, `it is ${from.service}'s, and this token is not`)
    } else if (typeof item === 'string') reasons.add(index, item)
    else items.push(item)
  }
  if (foreign > 0 && foreign === walked.length) {
    throw new AppError('FORBIDDEN', 'A service writes only in its own name', { detail: reasons.told(signal.plural) })
  }
  return { items, rejected: reasons.count, why: reasons.told(signal.plural) }
}

/** Why items aren't taken. */
class Reasons {
  count = 0
  readonly #told: string[] = []

  add(index: number, why: string): void {
    if (this.count++ < MAX_REASONS) this.#told.push(`the one at index ${index}: ${why}`)
  }

  told(plural: string): string {
    if (this.count === 0) return ''
    const more = this.count > this.#told.length ? '; and so on' : ''
    return `${this.count} ${plural} were not taken; ${this.#told.join('; ')}${more}`
  }
}
