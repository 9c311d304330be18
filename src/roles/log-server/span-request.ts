import * as z from 'zod'
import { isRecord } from '../../kit/record.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import { hideSecrets } from '../../kit/secrets/secret-values.ts'
import { SpanDetails as Details, MAX_DETAILS, Tag } from './contract.ts'
import type { Origin } from './origin.ts'
import { JsonObject, Name, Text, Timestamp } from './requests.ts'
import type { Span, SpanDetails } from './span.ts'

const SpanId = z
  .string()
  .regex(/^[0-9a-f]{16}$/i, '16 hexadecimal digits expected')
  .toLowerCase()

const fields = {
  trace_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/i, '32 hexadecimal digits expected')
    .toLowerCase(),
  span_id: SpanId,
  parent_span_id: SpanId.or(z.literal('')).nullish(),
  service: Name.min(1),
  operation: Text(1_024, 1),
  kind: z.enum(['server', 'client', 'producer', 'consumer', 'internal']).default('internal'),
  start: Timestamp,
  duration_ms: z.number().min(0).max(1e12),
  status: z.enum(['ok', 'error']).default('ok'),
  tags: JsonObject(Tag).default({}),
  /** A short word for a resource. */
  instance: Name.nullish(),
}

/**
 * A finished span as it comes in: the shape of the kit's SpanRecord, and what `GET /traces/:id` answers, but for tags that are lists or objects. Ids are W3C's,
 * in any case.
 */
export const SpanForm = z.object({ ...fields, ...Details.shape })

/** What few spans have, its secrets hidden. */
const HiddenDetails = Details.transform((given, { addIssue }) => {
  if (JSON.stringify(given).length <= MAX_DETAILS) return hideSecrets(given) as SpanDetails & Origin
  addIssue({ code: 'custom', message: `more than ${MAX_DETAILS} characters besides its tags` })
  return z.NEVER
})

/** A span that `asSpan` was shown, its secrets hidden. */
export const NewSpan = z
  .object({ ...fields, details: HiddenDetails.optional() })
  .transform(({ instance, details, ...span }): Span => {
    if (details === undefined) return instance ? { ...span, origin: originOf(span.service, instance) } : span
    const { resource, scope, ...own } = details
    const { resource: named } = instance ? originOf(span.service, instance) : {}
    const whole =
      named || resource ? { ...resource, attributes: { ...named?.attributes, ...resource?.attributes } } : undefined
    return { ...span, details: own, origin: { ...(whole && { resource: whole }), ...(scope && { scope }) } }
  })

/** Puts what few spans have aside, so that the others aren't looked through for each of it. */
export function asSpan(item: unknown): unknown {
  if (!isRecord(item)) return item
  const { details: _none, ...span } = item
  const rare = Object.keys(span).filter((key) => Object.hasOwn(Details.shape, key))
  if (rare.length === 0) return span
  return { ...span, details: Object.fromEntries(rare.map((key) => [key, span[key]])) }
}

/** Services' instances remembered. */
const MAX_ORIGINS = 1_000
const origins = new Map<string, Origin>()

/** Where what an instance sends comes from: one object for all of it, so that it is written once. */
function originOf(service: string, instance: string): Origin {
  const key = `${service} ${instance}`
  const known = origins.get(key)
  if (known) return known
  const attributes = { 'service.name': service, 'service.instance.id': hideInText(instance) }
  const origin = { resource: { attributes } }
  if (origins.size >= MAX_ORIGINS) origins.clear()
  origins.set(key, origin)
  return origin
}
