import type { MiddlewareHandler } from 'hono'
import { type DescribeRouteOptions, resolver, uniqueSymbol } from 'hono-openapi'
import type * as z from 'zod'
import type { RouteScope } from '../auth/scopes.ts'
import { AppError } from '../errors.ts'
import { NUMBERS_IN_WORDS } from '../exact-json.ts'
import { inputFaults } from '../input-faults.ts'
import type { AppEnv } from './app-env.ts'
import { parseJson, readBody } from './body.ts'

const INVALID = 'Invalid request'

type ObjectSchema = z.ZodType<object>

/** Where input comes in. */
type Part = 'params' | 'query' | 'body'

/** What a route takes and gives: checked on each request, and written into /openapi.json. */
export interface RouteSpec<
  P extends ObjectSchema,
  Q extends ObjectSchema,
  B extends ObjectSchema,
  S extends string = RouteScope,
> {
  readonly summary: string
  /** What the caller's token must allow in token mode (kit/middleware/auth.ts checks it, before the input). */
  readonly scope: S
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** A body that the handler reads and checks itself, by media type: only written into /openapi.json. */
  readonly takes?: Readonly<Record<string, z.ZodType>>
  /** Largest body in bytes. Default 1 MiB. */
  readonly maxBytes?: number
  /** The `error` a caller gets for input that doesn't fit, also by where it stood; which field it was is told in `detail`. Default `Invalid request`. */
  readonly invalid?: string | Readonly<Partial<Record<Part, string>>>
  /** For the platform's own housekeeping, such as heartbeats and log shipping: requests that go well are logged at DEBUG. Default false. */
  readonly housekeeping?: boolean
  /** Answers by status: a schema of the JSON, or words. */
  readonly responses?: Readonly<Record<number, z.ZodType | string>>
}

/** Where a handler made by `route` keeps the scope it wants. */
const SCOPE = Symbol('scope')

type Valid<P extends ObjectSchema, Q extends ObjectSchema, B extends ObjectSchema> = {
  in: { param: z.input<P>; query: z.input<Q>; json: z.input<B> }
  out: { param: z.output<P>; query: z.output<Q>; json: z.output<B> }
}

type CheckedInput<P extends ObjectSchema, Q extends ObjectSchema, B extends ObjectSchema> = MiddlewareHandler<
  AppEnv,
  string,
  Valid<P, Q, B>
>

/**
 * Checks a route's input and documents it. The handler finds the parsed values under `c.req.valid('param' | 'query' | 'json')`.
 * Throws AppError `INVALID_REQUEST` naming the fields, `INVALID_BODY`, `BODY_TOO_LARGE`.
 * @example app.post('/api/users', route({ summary: 'Make a user', scope: 'users:write', body: NewUser, responses: { 201: User } }), (c) => …)
 */
export function route<P extends ObjectSchema, Q extends ObjectSchema, B extends ObjectSchema>(
  spec: RouteSpec<P, Q, B>,
): CheckedInput<P, Q, B> {
  return openRoute(spec)
}

/**
 * The same for a service outside of the platform, whose scopes are words of its own.
 * @example
 * app.get('/products/:id', openRoute({ summary: 'Show a product', scope: 'catalog:read', params: z.object({ id: z.string() }) }), (c) =>
 *   c.json(find(c.req.valid('param').id)))
 */
export function openRoute<P extends ObjectSchema, Q extends ObjectSchema, B extends ObjectSchema>(
  spec: RouteSpec<P, Q, B, RouteScope | (string & {})>,
): CheckedInput<P, Q, B> {
  const { params, query, body, maxBytes, invalid = INVALID, housekeeping = false } = spec
  const check = (schema: ObjectSchema, value: unknown, part: Part) =>
    parseInput(schema, value, (typeof invalid === 'string' ? invalid : invalid[part]) ?? INVALID)
  /** What a request without a query says, read once: those that come by the thousand mostly have none. */
  const unsaid = query?.safeParse({})
  type Input = Parameters<CheckedInput<P, Q, B>>[0]
  async function checkBody(c: Input, next: () => Promise<void>, schema: B) {
    c.req.addValidatedData('json', check(schema, parseJson(await readBody(c, maxBytes)), 'body'))
    return next()
  }
  function checkInput(c: Input, next: () => Promise<void>) {
    if (housekeeping && c.env?.exchange) c.env.exchange.housekeeping = true
    if (params) c.req.addValidatedData('param', check(params, c.req.param(), 'params'))
    if (query) {
      const isUnsaid = unsaid?.success && !c.req.url.includes('?')
      c.req.addValidatedData('query', isUnsaid ? unsaid.data : check(query, c.req.query(), 'query'))
    }
    return body ? checkBody(c, next, body) : next()
  }
  return Object.assign(checkInput, { [uniqueSymbol]: { spec: describe(spec) }, [SCOPE]: spec.scope })
}

/** The scope that a handler made by `route` wants; undefined for any other handler. */
export function scopeOf(handler: object): string | undefined {
  return SCOPE in handler && typeof handler[SCOPE] === 'string' ? handler[SCOPE] : undefined
}

/**
 * Checks a value against a schema. Throws AppError `INVALID_REQUEST` with `message`, the faulty fields in its `detail`.
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, message: string): z.output<S> {
  const result = schema.safeParse(value, NUMBERS_IN_WORDS)
  if (result.success) return result.data
  throw new AppError('INVALID_REQUEST', message, {
    detail: `${message}: ${inputFaults(result.error, undefined, fieldsOf(schema)).join('; ')}`,
  })
}

/** The names of an object's fields; none of what is no object. */
function fieldsOf(schema: z.ZodType): readonly string[] {
  return 'shape' in schema && typeof schema.shape === 'object' ? Object.keys(schema.shape ?? {}) : []
}

function describe<P extends ObjectSchema, Q extends ObjectSchema, B extends ObjectSchema>(
  spec: RouteSpec<P, Q, B, string>,
): DescribeRouteOptions {
  const parameters = [...parametersOf(spec.params, 'path'), ...parametersOf(spec.query, 'query')]
  const takes = Object.entries(spec.takes ?? (spec.body ? { 'application/json': spec.body } : {}))
  const content = Object.fromEntries(
    takes.map(([type, schema]) => [type, { schema: resolver(schema, { io: 'input' }) }]),
  )
  const responses = Object.entries(spec.responses ?? { 200: 'OK' }).map(([status, answer]) => [
    status,
    typeof answer === 'string'
      ? { description: answer }
      : { description: 'OK', content: { 'application/json': { schema: resolver(answer) } } },
  ])
  return {
    summary: spec.summary,
    security: securityOf(spec.scope),
    ...(parameters.length > 0 && { parameters }),
    ...(takes.length > 0 && { requestBody: { required: true, content } }),
    responses: Object.fromEntries(responses),
  }
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query') {
  if (!schema || !('shape' in schema)) return []
  const fields = Object.entries(schema.shape as Record<string, z.ZodType>)
  return fields.map(([name, field]) => ({
    name,
    in: where,
    required: where === 'path' || !field.safeParse(undefined).success,
    schema: { type: 'string' as const },
  }))
}

/** Name of the security scheme in /openapi.json. */
export const BEARER = 'bearer'

function securityOf(scope: string) {
  if (scope === 'public') return []
  return [{ [BEARER]: scope === 'token' ? [] : [scope] }]
}
