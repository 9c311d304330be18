import * as z from 'zod'
import type { RawNumber } from '../../kit/exact-json.ts'
import type { Level } from '../../kit/telemetry/log.ts'

// said again since a contract imports nothing that runs; the type holds the two together
const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const satisfies readonly Level[]

/** Characters a message, an entry's metadata as JSON and a span's tags as JSON may have. */
export const MAX_TEXT = 65_536

/** Characters that what a span or an entry has besides its tags or metadata may have as JSON: events with their stack traces, links. */
export const MAX_DETAILS = 262_144

/** A count, or flags: 32 bits. */
const Count = z
  .int()
  .min(0)
  .max(2 ** 32 - 1)

/** Values by name, as they came. */
const Carried = z.record(z.string(), z.unknown())

/** Who an entry or a span comes from, and which part of him; each field where there is something to say. */
const origin = {
  resource: z
    .object({ attributes: Carried, dropped_attributes_count: Count, schema_url: z.string() })
    .partial()
    .optional(),
  scope: z
    .object({
      name: z.string(),
      version: z.string(),
      attributes: Carried,
      dropped_attributes_count: Count,
      schema_url: z.string(),
    })
    .partial()
    .optional(),
}

/** A stored entry. Ids grow with time. What is optional is there where its sender said it; nanoseconds are text, as no number holds them. */
export const Entry = z.object({
  id: z.string(),
  timestamp: z.string(),
  level: z.enum(LEVELS),
  service: z.string(),
  instance: z.string(),
  message: z.string(),
  trace_id: z.string().optional(),
  span_id: z.string().optional(),
  metadata: Carried.optional(),
  time_unix_nano: z.string().optional(),
  observed_time_unix_nano: z.string().optional(),
  severity_number: z.int().optional(),
  severity_text: z.string().optional(),
  /** Where it was no text: `message` is it as JSON. */
  body: z.unknown().optional(),
  event_name: z.string().optional(),
  flags: Count.optional(),
  dropped_attributes_count: Count.optional(),
  ...origin,
})
export type Entry = z.output<typeof Entry>

/** Entries, and what to give as `after` for the ones before them; null when there are none. */
export const EntryPage = z.object({ entries: z.array(Entry), next: z.string().nullable() })
export type EntryPage = z.output<typeof EntryPage>

/** One trace in a list: its root (or what is nearest to one), from its first start to its last end. */
export const TraceSummary = z.object({
  trace_id: z.string(),
  service: z.string(),
  operation: z.string(),
  start: z.string(),
  duration_ms: z.number(),
  spans: z.int(),
  services: z.array(z.string()),
  status: z.enum(['ok', 'error']),
})
export type TraceSummary = z.output<typeof TraceSummary>

/** Traces, and what to give as `after` for the ones before them; null when there are none. */
export const TracePage = z.object({ traces: z.array(TraceSummary), next: z.string().nullable() })
export type TracePage = z.output<typeof TracePage>

/** A number that no double holds, to the letter. */
export const ExactNumber = z.custom<RawNumber>((value) => JSON.isRawJSON(value)).meta({ type: 'number' })

/** What a tag may be that is sent to `/traces`; those of OpenTelemetry may be lists and objects too. */
export const Tag = z.union([z.string(), z.number(), z.boolean(), ExactNumber])

const Nanos = z.string().regex(/^\d{1,20}$/, 'nanoseconds since 1970 are wanted, as text')

const SpanEvent = z.object({
  time_unix_nano: Nanos,
  name: z.string(),
  attributes: Carried.optional(),
  dropped_attributes_count: Count.optional(),
})

const SpanLink = z.object({
  trace_id: z.string(),
  span_id: z.string(),
  trace_state: z.string().optional(),
  attributes: Carried.optional(),
  dropped_attributes_count: Count.optional(),
  flags: Count.optional(),
})

/** What not every span has, in the words of OTLP. */
export const SpanDetails = z.object({
  start_unix_nano: Nanos.optional(),
  end_unix_nano: Nanos.optional(),
  trace_state: z.string().optional(),
  flags: Count.optional(),
  status_code: z.enum(['ok', 'error']).optional(),
  status_message: z.string().optional(),
  events: z.array(SpanEvent).optional(),
  links: z.array(SpanLink).optional(),
  dropped_attributes_count: Count.optional(),
  dropped_events_count: Count.optional(),
  dropped_links_count: Count.optional(),
  ...origin,
})

/** One span of a trace. What is optional is there where its sender said it; nanoseconds are text, as no number holds them. */
export const TraceSpan = z.object({
  span_id: z.string(),
  parent_span_id: z.string().nullable(),
  service: z.string(),
  operation: z.string(),
  kind: z.string(),
  start: z.string(),
  duration_ms: z.number(),
  status: z.enum(['ok', 'error']),
  tags: Carried,
  ...SpanDetails.shape,
})
export type TraceSpan = z.output<typeof TraceSpan>

/** A whole trace, its spans by start. */
export const Trace = z.object({ trace_id: z.string(), spans: z.array(TraceSpan) })
export type Trace = z.output<typeof Trace>
