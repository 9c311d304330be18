import * as z from 'zod'
import { type Endpoint, endpointsFault, parseEndpoint } from '../discovery/endpoint.ts'

const Url = z.string().refine((text) => endpointsFault(text) === undefined && !text.includes(','), {
  error: ({ input }) =>
    `an address such as http://jaeger:4318 is wanted; this is ${endpointsFault(String(input)) ?? 'several: give each a line of its own'}`,
})
/** RFC 9110 §5.6.2 and §5.5. What is wrong with one is told without it: it may be a key. */
const HeaderName = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,256}$/)
const HeaderValue = z
  .string()
  .regex(/^[\t\x20-\x7e]{0,8192}$/)
  .meta({ secret: true, expected: 'a header value of printable ASCII' })

/** A place that spans, and by OTLP log entries too, are sent on to: `{ otlp: http://jaeger:4318 }` or `{ zipkin: http://zipkin:9411 }`. */
export const ExportTarget = z
  .strictObject({
    otlp: Url.optional(),
    zipkin: Url.optional(),
    /** Sent along with each request, such as a key; never shown. */
    headers: z.record(HeaderName, HeaderValue).optional(),
  })
  .refine(({ otlp, zipkin }) => (otlp === undefined) !== (zipkin === undefined), {
    error: 'either otlp: or zipkin: is wanted, each target on a line of its own',
  })
export type ExportTarget = z.infer<typeof ExportTarget>

/** Which protocol a target speaks, and where. */
export interface ExportPlace {
  readonly kind: 'otlp' | 'zipkin'
  readonly endpoint: Endpoint
}

/** Reads a target that was checked. */
export function exportPlace({ otlp, zipkin = '' }: ExportTarget): ExportPlace {
  return otlp === undefined
    ? { kind: 'zipkin', endpoint: parseEndpoint(zipkin) }
    : { kind: 'otlp', endpoint: parseEndpoint(otlp) }
}
