import {
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { AlwaysOnSampler, type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Clock } from '../../drivers/clock.ts'
import { createIdSource } from './ids.ts'
import { currentScope } from './scope.ts'
import { createTraceSampler } from './trace-sampler.ts'
import type { ActiveSpan, SpanContext, SpanEnd, SpanRecord, StartSpan, Tracing } from './tracing.ts'

/** Who makes spans, how many, and where they go. */
export interface TracingOptions {
  readonly service: string
  /** Which replica of it. Default: not said */
  readonly instance?: string
  readonly clock: Clock
  /** New traces kept a second. Default 100. */
  readonly tracesPerSecond?: number
  /** Takes each finished span; must not throw or wait. */
  readonly ship: (span: SpanRecord) => void
  /** Sends what waits. */
  readonly flush?: () => Promise<void>
}

/**
 * Makes a role's tracing on the OpenTelemetry SDK. The decision to keep a trace is taken once, where it begins, before any SDK object is
 * made: a span that isn't kept is two ids and a start time, so that tracing costs little under load. A failed one is shipped all the same.
 */
export function createTracing({
  service,
  instance,
  clock,
  tracesPerSecond = 100,
  ship,
  flush,
}: TracingOptions): Tracing {
  const whose = { service, ...(instance !== undefined && { instance }) }
  const newTraceId = createIdSource(16)
  const newSpanId = createIdSource(8)
  const keepNew = createTraceSampler(tracesPerSecond, clock)
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: newTraceId, generateSpanId: newSpanId },
    spanProcessors: [shippingProcessor((span) => ship(toRecord(whose, span)))],
  })
  const tracer = provider.getTracer('msvc')

  function startKept(name: string, { kind, attributes }: StartSpan, parent: SpanContext | undefined): ActiveSpan {
    const context = parent
      ? trace.setSpanContext(ROOT_CONTEXT, {
          traceId: parent.traceId,
          spanId: parent.spanId,
          traceFlags: TraceFlags.SAMPLED,
          ...(parent.state !== undefined && { traceState: createTraceState(parent.state) }),
        })
      : ROOT_CONTEXT
    const span = tracer.startSpan(
      name,
      { kind: KINDS[kind], startTime: clock.now(), ...(attributes && { attributes }) },
      context,
    )
    return keptSpan(span, clock, parent)
  }

  function startDropped(name: string, { kind, attributes }: StartSpan, parent: SpanContext | undefined): ActiveSpan {
    const traceId = parent?.traceId ?? newTraceId()
    const spanId = newSpanId()
    const startedAt = clock.monotonic()
    let operation = name
    return {
      traceId,
      spanId,
      sampled: false,
      random: parent?.random,
      state: parent?.state,
      setAttribute: () => {},
      rename: (to) => {
        operation = to
      },
      end(end) {
        if (!end?.failed) return
        const duration = clock.monotonic() - startedAt
        ship({
          trace_id: traceId,
          span_id: spanId,
          ...(parent && { parent_span_id: parent.spanId }),
          ...whose,
          operation,
          kind,
          start: new Date(clock.now() - duration).toISOString(),
          duration_ms: round(duration),
          status: 'error',
          tags: { ...attributes, ...end.attributes, ...(end.message && { error: end.message }) },
          ...(parent?.state !== undefined && { trace_state: parent.state }),
        })
      },
    }
  }

  return {
    start(name, options) {
      const parent = options.parent === undefined ? currentScope()?.span : (options.parent ?? undefined)
      const keep = parent ? parent.sampled : options.keep !== false && keepNew()
      return keep ? startKept(name, options, parent) : startDropped(name, options, parent)
    },
    flush: async () => flush?.(),
  }
}

function keptSpan(span: Span, clock: Clock, parent: SpanContext | undefined): ActiveSpan {
  const { traceId, spanId } = span.spanContext()
  const startedAt = clock.monotonic()
  const startedWall = clock.now()
  return {
    traceId,
    spanId,
    sampled: true,
    random: parent?.random,
    state: parent?.state,
    setAttribute: (key, value) => void span.setAttribute(key, value),
    rename: (name) => void span.updateName(name),
    end({ failed = false, message, attributes }: SpanEnd = {}) {
      if (attributes) span.setAttributes(attributes)
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR, ...(message && { message }) })
      span.end(startedWall + clock.monotonic() - startedAt)
    },
  }
}

function shippingProcessor(onEnd: (span: ReadableSpan) => void): SpanProcessor {
  return { onStart: () => {}, onEnd, forceFlush: async () => {}, shutdown: async () => {} }
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const
const KIND_NAMES = ['internal', 'server', 'client', 'producer', 'consumer'] as const

function toRecord(whose: Pick<SpanRecord, 'service' | 'instance'>, span: ReadableSpan): SpanRecord {
  const { traceId, spanId, traceState } = span.spanContext()
  const failed = span.status.code === SpanStatusCode.ERROR
  return {
    trace_id: traceId,
    span_id: spanId,
    ...(span.parentSpanContext && { parent_span_id: span.parentSpanContext.spanId }),
    ...whose,
    operation: span.name,
    kind: KIND_NAMES[span.kind],
    start: new Date(span.startTime[0] * 1000 + span.startTime[1] / 1e6).toISOString(),
    duration_ms: round(span.duration[0] * 1000 + span.duration[1] / 1e6),
    status: failed ? 'error' : 'ok',
    tags: { ...(span.attributes as SpanRecord['tags']), ...(span.status.message && { error: span.status.message }) },
    ...(traceState && { trace_state: traceState.serialize() }),
  }
}

const round = (ms: number) => Math.round(ms * 1000) / 1000
