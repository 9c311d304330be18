/** Where a span hangs, as in W3C Trace Context (trace-context.ts). */
export interface SpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  /** Whoever began the trace made its id at random. Default: not known. */
  readonly random?: boolean | undefined
  /** What other vendors' tracing keeps in the trace (tracestate), as it is passed on. */
  readonly state?: string | undefined
}

/** A span under way. Attribute and end calls on one that isn't kept cost nothing. */
export interface ActiveSpan extends SpanContext {
  /** Adds an attribute, named as in OpenTelemetry's semantic conventions. */
  setAttribute(key: string, value: string | number | boolean): void
  /** Gives it the name that is only known later, such as a route's template. */
  rename(name: string): void
  /** Ends it; `failed` marks it as an error, and is kept even where the trace is not. */
  end(options?: SpanEnd): void
}

/** How a span ended. `message` says why it failed. */
export interface SpanEnd {
  readonly failed?: boolean
  readonly message?: string
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

/** One finished span as it travels to the log server, in the shape of design §5. */
export interface SpanRecord {
  readonly trace_id: string
  readonly span_id: string
  readonly parent_span_id?: string
  readonly service: string
  /** Which replica of the service. */
  readonly instance?: string
  readonly operation: string
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  /** RFC 3339 with milliseconds. */
  readonly start: string
  readonly duration_ms: number
  readonly status: 'ok' | 'error'
  readonly tags: Readonly<Record<string, string | number | boolean>>
  /** What other vendors keep in its trace (tracestate). */
  readonly trace_state?: string
}

/** How a span begins. */
export interface StartSpan {
  readonly kind: SpanRecord['kind']
  /** Absent: the current scope's span; `null`: a new trace. */
  readonly parent?: SpanContext | null
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** False: a new trace is not kept, whatever the rate. For probes and the platform's own chatter. */
  readonly keep?: false
}

/** Makes a role's spans. A parent's decision to keep or drop is obeyed; new traces are kept up to a rate. */
export interface Tracing {
  /** Begins a span; whoever begins it ends it. */
  start(name: string, options: StartSpan): ActiveSpan
  /** Sends what waits; resolves when it is delivered, or can't be. */
  flush(): Promise<void>
}
