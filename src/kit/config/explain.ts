import * as z from 'zod'
import { didYouMean, nearest } from '../nearest.ts'
import { isRecord } from '../record.ts'
import { isSecretName } from '../secrets/secret-name.ts'
import type { Path } from './locate.ts'
import { shown } from './shown.ts'

/** What is wrong with one value. */
export interface Fault {
  readonly path: Path
  readonly message: string
}

/** Faults told of at once: who made more will want to see these gone first. */
export const MAX_FAULTS = 100

/**
 * Why a value doesn't fit its schema, every fault of it (to one beyond MAX_FAULTS), in words for the person who wrote the file: what was expected (read from the
 * schema, so it can't go stale) and what stands there instead, secrets hidden. An unknown key gets the nearest known one, which isn't missing then.
 * @param alsoKnown keys that are handled elsewhere but may be meant by a typing error at the top
 * @example explain(Listen, { port: 80000 }) // [{ path: ['port'], message: 'expected a whole number from 0 to 65535, got 80000' }]
 */
export function explain(schema: z.ZodType, value: unknown, alsoKnown: readonly string[] = []): readonly Fault[] {
  const result = schema.safeParse(value)
  if (result.success) return droppedNames(value, [])
  const form = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  const meant = new Set<string>()
  const missing = new Set<Fault>()
  const faults = result.error.issues.slice(0, MAX_FAULTS + 1).flatMap((issue): readonly Fault[] => {
    const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
    const here = formAt(form, path)
    if (issue.code === 'unrecognized_keys') {
      const keys = choicesOf(here).flatMap(({ properties = {} }) => Object.keys(properties))
      const known = [...keys, ...(path.length === 0 ? alsoKnown : [])]
      return issue.keys.slice(0, MAX_FAULTS + 1).map((key) => {
        meant.add(JSON.stringify([...path, nearest(key, known)]))
        return { path: [...path, key], message: `unknown key${didYouMean(key, known)}` }
      })
    }
    if (issue.code === 'custom') return [{ path, message: issue.message }]
    const found = valueAt(value, path)
    const secret = here?.secret === true || path.some((step) => isSecretName(String(step)))
    const got =
      found === undefined ? 'but it is missing' : secret ? 'got a value that is kept hidden' : `got ${shown(found)}`
    const fault = { path, message: `expected ${here ? expectation(here) : issue.message}, ${got}` }
    if (found === undefined) missing.add(fault)
    return [fault]
  })
  // what is missing since its name is misspelt comes back with that
  return faults.filter((fault) => !missing.has(fault) || !meant.has(JSON.stringify(fault.path)))
}

/** Zod leaves `__proto__` out of maps by name, and says nothing. */
function droppedNames(value: unknown, path: Path): readonly Fault[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '__proto__'
      ? [{ path: [...path, name], message: 'a name that nothing can have; choose another' }]
      : droppedNames(inner, [...path, name]),
  )
}

type Form = z.core.JSONSchema.BaseSchema

function formAt(form: Form, path: Path): Form | undefined {
  let here: Form | undefined = form
  for (const step of path) {
    const next: unknown = choicesOf(here)
      .map((choice) => within(choice, step))
      .find(isRecord)
    here = isRecord(next) ? next : undefined
  }
  return here
}

/** A form and those it may take instead, such as a section that may also be null. */
function choicesOf(form: Form | undefined): readonly Form[] {
  return [form, ...(form?.anyOf ?? [])].filter(isRecord)
}

function within({ properties, additionalProperties, items }: Form, step: Path[number]): unknown {
  return properties?.[step] ?? (typeof step === 'number' ? items : undefined) ?? additionalProperties
}

function valueAt(value: unknown, path: Path): unknown {
  let here = value
  for (const step of path) here = Array.isArray(here) ? here[Number(step)] : isRecord(here) ? here[step] : undefined
  return here
}

/** What a schema takes, in the words of `explain`, with its default and its description. */
export function describeValue(schema: z.ZodType): {
  readonly takes: string
  readonly default?: unknown
  readonly help: string
} {
  const form = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  const help = typeof form.description === 'string' ? form.description : ''
  return { takes: expectation(form), help, ...(form.default !== undefined && { default: form.default }) }
}

function expectation(form: Form): string {
  if (typeof form.expected === 'string') return form.expected
  if (form.enum) return `one of ${form.enum.join(', ')}`
  if (form.const !== undefined) return shown(form.const)
  const choices = form.anyOf ?? form.oneOf
  if (choices) return choices.map((choice) => (isRecord(choice) ? expectation(choice) : 'nothing')).join(' or ')
  if (form.type === 'integer') return `a whole number${range(form)}`
  if (form.type === 'number') return `a number${range(form)}`
  if (form.type === 'boolean') return 'true or false'
  if (form.type === 'null') return 'null'
  if (form.type === 'array') return 'a list'
  if (form.type === 'object') return 'a section with keys of its own'
  if (form.pattern !== undefined) return `text that fits ${form.pattern}`
  if (form.type === 'string') return form.minLength ? 'text that is not empty' : 'text'
  return 'another value'
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Form): string {
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`
  if (low !== undefined) return ` of at least ${low}`
  if (high !== undefined) return ` of at most ${high}`
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`
  return exclusiveMaximum === undefined ? '' : ` below ${exclusiveMaximum}`
}
