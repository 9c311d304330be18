import { hideInText } from '../../../kit/secrets/secret-text.ts'
import { hideSecrets } from '../../../kit/secrets/secret-values.ts'
import type { Attributes, Value } from '../attribute-value.ts'
import type { Origin } from '../origin.ts'
import type { OtlpResource, OtlpScope } from './messages.ts'

/** Whose telemetry it is, without secrets. */
export interface Adopted {
  readonly service: string
  readonly instance: string
  readonly origin: Origin
}

/** Characters that the name of a service may have, and that are shown of an instance's. */
const MAX_NAME = 256
/** Characters that a resource, and a scope, may have as JSON. */
const MAX_ORIGIN = 65_536

/**
 * Says whose the items of a scope are; kept for the next one of it. A text says why they can't be taken.
 * @param unnamed whose they are that don't say so
 */
export function createAdopting(unnamed: string): (scope: OtlpScope) => Adopted | string {
  const known = new Map<OtlpScope, Adopted | string>()
  return function adopt(scope) {
    const before = known.get(scope)
    if (before !== undefined) return before
    const adopted = adoptedFrom(scope, unnamed)
    known.set(scope, adopted)
    return adopted
  }
}

/** OpenTelemetry's semantic conventions (https://opentelemetry.io/docs/specs/semconv/resource/#service) name who tells. */
function adoptedFrom(scope: OtlpScope, unnamed: string): Adopted | string {
  const { attributes } = scope.resource
  const service = textOf(attributes['service.name']) || unnamed
  if (service.length > MAX_NAME) return `service.name has more than ${MAX_NAME} characters`
  const resource = present({ ...partOf(scope.resource) })
  const part = present({ name: hideInText(scope.name), version: hideInText(scope.version), ...partOf(scope) })
  if (JSON.stringify([resource, part]).length > MAX_ORIGIN) {
    return `resource and scope have more than ${MAX_ORIGIN} characters as JSON`
  }
  const origin: Origin = present({ resource, scope: part })
  return {
    service,
    instance: hideInText(textOf(attributes['service.instance.id'])).slice(0, MAX_NAME).toWellFormed(),
    origin,
  }
}

function partOf({ attributes, droppedAttributes, schemaUrl }: OtlpResource) {
  return {
    attributes: hideAttributes(attributes),
    dropped_attributes_count: droppedAttributes,
    schema_url: hideInText(schemaUrl),
  }
}

function textOf(value: Value | undefined): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Attributes without secrets. */
export function hideAttributes(attributes: Attributes): Attributes {
  return hideSecrets(attributes) as Attributes
}

/** An object's fields that say something: not those that are empty, or 0. */
export function present<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isNothing(value))) as Partial<T>
}

function isNothing(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === '' || value === 0 || value === undefined
  return Array.isArray(value) ? value.length === 0 : isEmptyObject(value)
}

function isEmptyObject(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const _ in value) return false
  return true
}
