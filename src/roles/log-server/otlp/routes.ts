import { type Context, Hono } from 'hono'
import * as z from 'zod'
import type { Clock } from '../../../drivers/clock.ts'
import { AppError } from '../../../kit/errors.ts'
import type { AppEnv } from '../../../kit/http/app-env.ts'
import { readBody } from '../../../kit/http/body.ts'
import { callerName } from '../../../kit/http/caller-name.ts'
import { route } from '../../../kit/http/route.ts'
import { currentScope } from '../../../kit/telemetry/scope.ts'
import type { LogRecord } from '../log-record.ts'
import type { Span } from '../span.ts'
import { exportAnswer, type OtlpAnswer, statusAnswer } from './answers.ts'
import { MAX_OTLP_BYTES } from './bounds.ts'
import { countPoints } from './metric-points.ts'
import { RecentRequests } from './recent-requests.ts'
import { type Encoding, LOGS, type Signal, TRACES } from './requests.ts'
import { siftRequest } from './sifting-request.ts'

/** What the routes work with. */
export interface OtlpRoutesOptions {
  /** Stores spans, or log records. Reject with DriverError, or AppError `UNAVAILABLE` when more comes in than can be stored. */
  readonly addSpans: (spans: readonly Span[]) => Promise<void>
  readonly addLogs: (records: readonly LogRecord[]) => Promise<void>
  readonly clock: Pick<Clock, 'monotonic'>
}

/** What came of a request that was taken. */
interface Outcome {
  readonly rejected: number
  readonly why: string
}

/** Items stored in one transaction, so that none holds up the event loop for long. */
const CHUNK = 1_000
const PATHS = ['/v1/traces', '/v1/logs', '/v1/metrics']
const NO_METRICS = 'Metrics are not stored here: this is for traces (/v1/traces) and logs (/v1/logs)'

/** OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp): traces and logs in protobuf and JSON, at the paths that every exporter knows. */
export function otlpRoutes({ addSpans, addLogs, clock }: OtlpRoutesOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const recent = new RecentRequests<Outcome>({ clock })

  const receive = <I, T>(signal: Signal<I, T>, add: (items: readonly T[]) => Promise<void>) =>
    async function receive(c: Context<AppEnv>) {
      const encoding = wantedEncoding(c)
      const body = await readBody(c, MAX_OTLP_BYTES)
      const { rejected, why } = await recent.once(
        `${c.req.path} ${encoding} ${callerName(c)}`,
        body,
        async (progress) => {
          const { items, ...outcome } = await siftRequest(body, encoding, signal, currentScope()?.asker)
          for (; progress.stored < items.length; progress.stored += CHUNK) {
            await add(items.slice(progress.stored, progress.stored + CHUNK))
          }
          return outcome
        },
      )
      return respond(c, exportAnswer(encoding, signal.counted, rejected, why))
    }

  app.post(
    '/v1/traces',
    route({ ...spec('spans'), summary: 'Store spans by OTLP: protobuf or JSON, at most 20 MiB when inflated' }),
    receive(TRACES, addSpans),
  )
  app.post(
    '/v1/logs',
    route({
      ...spec('log records'),
      summary: 'Store log records by OTLP: protobuf or JSON, at most 20 MiB when inflated',
    }),
    receive(LOGS, addLogs),
  )
  app.post(
    '/v1/metrics',
    route({ ...spec('data points'), summary: 'Refuse metrics, which are not stored, as OTLP has it' }),
    async (c) => {
      const encoding = wantedEncoding(c)
      const points = await countPoints(await readBody(c, MAX_OTLP_BYTES), encoding)
      return respond(c, exportAnswer(encoding, 'rejectedDataPoints', points, points > 0 ? NO_METRICS : ''))
    },
  )
  return app
}

/** The answer of these routes to a request that failed, also before it came to them; undefined for any other route's. */
export function otlpRefusal(c: Context<AppEnv>, error: AppError): Response | undefined {
  if (c.req.method !== 'POST' || !PATHS.includes(c.req.path)) return undefined
  const encoding = encodingOf(c.req.header('content-type')) ?? 'json'
  // exporters try again after a 503, and throw away what is answered by 507 (OTLP specification, "Retryable Response Codes")
  const isFull = error.status === 507
  const headers = isFull ? { ...error.headers, 'retry-after': FULL_RETRY_S } : error.headers
  return respond(c, statusAnswer(encoding, error), isFull ? 503 : error.status, headers)
}

/** Seconds after which a full disk may have room again. */
const FULL_RETRY_S = '10'

function respond(
  c: Context<AppEnv>,
  { body, type }: OtlpAnswer,
  status: AppError['status'] | 200 = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.body(body, status, { ...headers, 'content-type': type })
}

function wantedEncoding(c: Context<AppEnv>): Encoding {
  const encoding = encodingOf(c.req.header('content-type'))
  if (encoding) return encoding
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'OTLP comes as application/x-protobuf or application/json', {
    headers: { accept: 'application/x-protobuf, application/json' },
  })
}

function encodingOf(contentType = ''): Encoding | undefined {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'application/json') return 'json'
  return type === 'application/x-protobuf' || type === 'application/protobuf' ? 'protobuf' : undefined
}

/** What the routes have in common. */
function spec(plural: string) {
  return {
    scope: 'logs:write' as const,
    housekeeping: true,
    takes: { 'application/x-protobuf': z.string(), 'application/json': z.record(z.string(), z.unknown()) },
    responses: {
      200: `Taken; \`partialSuccess\` says which ${plural} were not, and why`,
      400: 'It is no OTLP request',
      403: 'All of it is in another service’s name',
      413: 'It is too large',
      415: 'It is neither protobuf nor JSON, or compressed otherwise than by gzip',
      503: 'Too much comes in: try again after `Retry-After`',
    },
  }
}
