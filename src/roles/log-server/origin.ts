import type { Attributes } from './attribute-value.ts'

/** Who tells of himself: what is known of a service's instance, such as its version and its machine. What is absent is empty. */
export interface Resource {
  readonly attributes?: Attributes
  readonly dropped_attributes_count?: number
  readonly schema_url?: string
}

/** The library, or the part of a program, that a span or a log record comes from. */
export interface Scope extends Resource {
  readonly name?: string
  readonly version?: string
}

/** Where a span or a log record comes from; one for all that come from there in a request. */
export interface Origin {
  readonly resource?: Resource
  readonly scope?: Scope
}

const written = new WeakMap<Origin, string>()

/**
 * What not every span or entry has, as a JSON object; null when there is nothing of it.
 * @param details what it has itself
 */
export function detailsJson(details: object | undefined, origin: Origin | undefined): string | null {
  const members = [details && membersOf(details), origin && originMembers(origin)].filter(Boolean)
  return members.length === 0 ? null : `{${members.join()}}`
}

/** Where something comes from as JSON members: the same for all that come from there. */
export function originMembers(origin: Origin): string {
  const known = written.get(origin)
  if (known !== undefined) return known
  const members = membersOf(origin)
  written.set(origin, members)
  return members
}

/** An object's members in JSON, without the braces around them. */
function membersOf(object: object): string {
  return JSON.stringify(object).slice(1, -1)
}
