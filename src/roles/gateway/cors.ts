import type { CorsConfig } from './config.ts'

/** What the gateway says to browsers about other origins. Header names are lower case. */
export interface CorsPolicy {
  /** Headers for the answer to a request with this Origin; undefined when pages of that origin may not read it. */
  answer(origin: string | undefined): Readonly<Record<string, string>> | undefined
  /** More headers for the answer to a preflight. @param allow methods of the route, as in an Allow header */
  preflight(allow: string): Readonly<Record<string, string>>
}

/**
 * Makes the policy of a config (Fetch standard §3.2). Origins are compared to the letter and named one by one in the answer: there is no
 * wildcard, so credentials can't leak to a page nobody thought of.
 */
export function corsPolicy({
  origins,
  credentials,
  request_headers,
  exposed_headers,
  max_age_seconds,
}: CorsConfig): CorsPolicy {
  const answers = new Map(
    origins.map((origin) => [
      origin,
      {
        'access-control-allow-origin': origin,
        ...(credentials && { 'access-control-allow-credentials': 'true' }),
        ...(exposed_headers.length > 0 && { 'access-control-expose-headers': exposed_headers.join(', ') }),
        vary: 'origin',
      },
    ]),
  )
  // whether an answer may be kept for another origin depends on the origin as soon as one is treated specially
  const others = origins.length > 0 ? { vary: 'origin' } : undefined
  return {
    answer: (origin) => (origin === undefined ? undefined : answers.get(origin)) ?? others,
    preflight: (allow) => ({
      'access-control-allow-methods': allow,
      'access-control-allow-headers': request_headers.join(', '),
      'access-control-max-age': String(max_age_seconds),
    }),
  }
}

/** Whether a request asks for permission instead of doing anything (Fetch standard §3.2.2). */
export function isPreflight(
  method: string,
  headers: { readonly [name: string]: string | string[] | undefined },
): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}
