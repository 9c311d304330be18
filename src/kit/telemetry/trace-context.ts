import type { SpanContext } from './tracing.ts'

/** Where a trace context travels, by the same names: headers of a request, or attributes of an event (CloudEvents' Distributed Tracing extension). */
export interface TraceFields {
  readonly traceparent?: string | undefined
  readonly tracestate?: string | undefined
}

/** Names by which a B3 context travels (https://github.com/openzipkin/b3-propagation). */
export interface B3Fields {
  readonly b3?: string | undefined
  readonly 'x-b3-traceid'?: string | undefined
  readonly 'x-b3-spanid'?: string | undefined
  readonly 'x-b3-sampled'?: string | undefined
  readonly 'x-b3-flags'?: string | undefined
}

// W3C Trace Context Level 2 §3.2: version 00 has these fields alone, later ones may have more behind a dash, ff is none
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1
const RANDOM = 2
const ZEROS = /^0+$/

/**
 * Reads a W3C trace context; undefined where its traceparent isn't valid: then a new trace begins. A tracestate that isn't valid is left out, and so is one
 * without a traceparent.
 */
export function readTraceContext({ traceparent, tracestate }: TraceFields): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(traceparent ?? '') ?? []
  if (version === undefined || (version === '00' && more !== undefined)) return undefined
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined
  const bits = Number.parseInt(flags, 16)
  const state = tracestate === undefined ? undefined : validTracestate(tracestate)
  return {
    traceId,
    spanId,
    sampled: (bits & SAMPLED) !== 0,
    ...((bits & RANDOM) !== 0 && { random: true }),
    ...(state !== undefined && { state }),
  }
}

/** Writes a W3C trace context (version 00). */
export function writeTraceContext(span: SpanContext): { readonly traceparent: string; readonly tracestate?: string } {
  const traceparent = formatTraceparent(span)
  return span.state === undefined ? { traceparent } : { traceparent, tracestate: span.state }
}

/** Writes a W3C traceparent alone (version 00). */
export function formatTraceparent({ traceId, spanId, sampled, random }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${(sampled ? SAMPLED : 0) | (random ? RANDOM : 0)}`
}

/** The traceparent of calls that are not to be traced, such as probes and log shipping: a parent whose decision was to drop. */
export const UNTRACED = formatTraceparent({
  traceId: '1'.padStart(32, '0'),
  spanId: '1'.padStart(16, '0'),
  sampled: false,
})

const MOST_MEMBERS = 32
/** As many characters of a tracestate have to be passed on (§3.3.1.5); of a longer one whole members are left out, those over 128 first. */
const MOST_CHARACTERS = 512
const LONG_MEMBER = 128
const MEMBER =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/**
 * A W3C tracestate as it is passed on: its members in their order, without space around them; undefined where one isn't valid, a key comes twice, or
 * there are more than 32 (§3.3.1). Keys are those of Level 1, as the specification's own tests want them: at most one `@`, and no digit in front without it. Several header lines come joined by commas.
 */
function validTracestate(header: string): string | undefined {
  const members = header
    .split(',')
    .map(withoutSpace)
    .filter((member) => member !== '')
  if (members.length === 0 || members.length > MOST_MEMBERS) return undefined
  if (!members.every((member) => MEMBER.test(member))) return undefined
  if (new Set(members.map((member) => member.slice(0, member.indexOf('=')))).size < members.length) return undefined
  return shortened(members).join(',') || undefined
}

/** Without blanks and tabs around it (OWS, RFC 9110 §5.6.3): an expression for that would go over a run of them again and again. */
function withoutSpace(member: string): string {
  let [from, to] = [0, member.length]
  while (from < to && isSpace(member.charCodeAt(from))) from++
  while (to > from && isSpace(member.charCodeAt(to - 1))) to--
  return member.slice(from, to)
}

const isSpace = (unit: number) => unit === 0x20 || unit === 0x09

function shortened(members: readonly string[]): readonly string[] {
  const left = [...members]
  const isTooLong = () => left.join(',').length > MOST_CHARACTERS
  for (let at = left.length - 1; at >= 0 && isTooLong(); at--) {
    if ((left[at]?.length ?? 0) > LONG_MEMBER) left.splice(at, 1)
  }
  while (isTooLong()) left.pop()
  return left
}

const B3_IDS = /^(?:[0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/

/** Reads a B3 context, of one header or of several; undefined where there is none. One that leaves the decision open is sampled. */
export function readB3(fields: B3Fields): SpanContext | undefined {
  const { b3 = severalAsOne(fields) } = fields
  const single = b3.toLowerCase()
  const [, spanId, decision = '1'] = B3_IDS.exec(single) ?? []
  if (spanId === undefined) return undefined
  const traceId = single.slice(0, single.indexOf('-')).padStart(32, '0')
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined
  return { traceId, spanId, sampled: decision !== '0' }
}

function severalAsOne(fields: B3Fields): string {
  const { 'x-b3-traceid': traceId = '', 'x-b3-spanid': spanId = '' } = fields
  const { 'x-b3-sampled': sampled, 'x-b3-flags': flags } = fields
  const decision = flags === '1' ? 'd' : sampled === 'true' ? '1' : sampled === 'false' ? '0' : sampled
  return decision === undefined ? `${traceId}-${spanId}` : `${traceId}-${spanId}-${decision}`
}
