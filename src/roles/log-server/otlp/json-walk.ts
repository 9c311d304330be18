import * as z from 'zod'
import { AppError } from '../../../kit/errors.ts'
import { NUMBERS_IN_WORDS } from '../../../kit/exact-json.ts'
import { MAX_ITEM_BYTES } from '../../../kit/http/batch.ts'
import { inputFaults } from '../../../kit/input-faults.ts'
import { MAX_ITEM_VALUES } from './bounds.ts'
import { JsonResource, JsonScope } from './json-items.ts'
import { JsonScanner } from './json-scanner.ts'
import { newResource, newScope, type OtlpResource, type OtlpScope } from './messages.ts'
import { type Found, tooLargeItem, type Walked } from './walked.ts'

/** What the lists of a signal are called, from the outermost to the items'. */
export type JsonNames = readonly [groups: string, scopes: string, items: string]

/**
 * The same as `walkWire` for a request in JSON. What can't be what it stands for, such as a name that is no text, refuses its item alone; what is no JSON throws.
 * Throws AppError `INVALID_BODY`.
 */
export function* walkJson<T>(
  body: Buffer,
  [groups, scopes, items]: JsonNames,
  schema: z.ZodType<T>,
): Generator<Walked<T>> {
  const scanner = new JsonScanner(body)
  for (const name of scanner.members()) {
    if (name !== groups) scanner.pass()
    else for (const _ of scanner.elements()) yield* walkResource()
    yield undefined
  }
  scanner.finish()

  function* walkResource(): Generator<Walked<T>> {
    yield undefined
    const resource = newResource()
    for (const name of scanner.members()) {
      if (name === 'resource') Object.assign(resource, readPart(JsonResource, 'resource'))
      else if (name === 'schemaUrl') resource.schemaUrl = readPart(SchemaUrl, name)
      else if (name === scopes) for (const _ of scanner.elements()) yield* walkScope(resource)
      else scanner.pass()
      yield undefined
    }
  }

  function* walkScope(resource: OtlpResource): Generator<Walked<T>> {
    yield undefined
    const scope = newScope(resource)
    for (const name of scanner.members()) {
      if (name === 'scope') Object.assign(scope, readPart(JsonScope, 'scope'))
      else if (name === 'schemaUrl') scope.schemaUrl = readPart(SchemaUrl, name)
      else if (name === items) for (const _ of scanner.elements()) yield readItem(scope)
      else scanner.pass()
      yield undefined
    }
  }

  function readItem(scope: OtlpScope): Found<T> {
    const spot = scanner.pass()
    if (spot.end - spot.from > MAX_ITEM_BYTES) return tooLargeItem()
    try {
      const read = schema.safeParse(scanner.parse(spot, MAX_ITEM_VALUES), NUMBERS_IN_WORDS)
      return read.success ? { item: read.data, scope } : { refused: inputFaults(read.error).join('; ') }
    } catch (fault) {
      if (fault instanceof AppError && fault.code === 'BODY_TOO_LARGE') return { refused: fault.message }
      throw fault
    }
  }

  function readPart<P>(part: z.ZodType<P>, name: string): P {
    const read = part.safeParse(scanner.parse(undefined, MAX_ITEM_VALUES) ?? {}, NUMBERS_IN_WORDS)
    if (read.success) return read.data
    const why = `${name}: ${inputFaults(read.error).join('; ')}`
    throw new AppError('INVALID_BODY', 'The body is no OTLP request in JSON', {
      detail: `The body is no OTLP request in JSON: ${why}`,
    })
  }
}

const SchemaUrl = z.string().catch('')
