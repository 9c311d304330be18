import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import { type ConfigPath, DEFAULT, FlaggedValue, Key } from './contract.ts'

/** A value as it is kept: in the clear, or sealed; `guessed` when nobody said that it is a secret, but it shows. */
export const KeptValue = z.union([
  // it was checked when it was set: looking at every number of it again would cost more than all the rest of an answer
  z.strictObject({ value: z.unknown() }),
  z.strictObject({ sealed: z.string(), guessed: z.literal(true).optional() }),
])
export type KeptValue = z.output<typeof KeptValue>
/** The values of one service in one environment, by key. */
export type Document = ReadonlyMap<string, KeptValue>

/** A value as somebody wants it to be; `secret` undefined: as it was, or as it looks. */
export interface WantedValue {
  readonly value: unknown
  readonly secret: boolean | undefined
}

/** Which secrets one sees: those that were only guessed to be some, all, or none. */
export type Sight = 'none' | 'guessed' | 'all'
/** All of them, least first. */
export const SIGHTS: readonly Sight[] = ['none', 'guessed', 'all']

/** What stands in place of a secret for those who may not see it. */
export const MASK = '••••'

const Json = z.json()

/** Reads `{"value": …, "secret": true}` or a plain value. Throws AppError `INVALID_REQUEST` for a number too large to be kept as it is. */
export function wantedValue(json: unknown): WantedValue {
  if (!Json.safeParse(json).success) {
    throw new AppError('INVALID_REQUEST', 'Invalid configuration', {
      detail: 'A value holds a number that is too large',
    })
  }
  const flagged = FlaggedValue.safeParse(json)
  return flagged.success
    ? { value: flagged.data.value, secret: flagged.data.secret }
    : { value: json, secret: undefined }
}

/** Reads the body of a document's PUT. Throws AppError `INVALID_REQUEST` when it is no object, or a key is none. */
export function wantedDocument(json: unknown): ReadonlyMap<string, WantedValue> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new AppError('INVALID_REQUEST', 'Invalid configuration', {
      detail: 'A configuration is a JSON object of values by key',
    })
  }
  const entries = Object.entries(json)
  for (const [key] of entries) {
    if (!Key.safeParse(key).success) {
      throw new AppError('INVALID_REQUEST', 'Invalid configuration', {
        detail: `${JSON.stringify(key.slice(0, 80))} is no key: use letters, digits, ".", "_" and "-"`,
      })
    }
  }
  return new Map(entries.map(([key, value]) => [key, wantedValue(value)]))
}

/** Configurations that have a say in one, the one with the last word last. */
export function layersOf({ service, environment }: ConfigPath): readonly ConfigPath[] {
  const layers = [
    { service: DEFAULT, environment: DEFAULT },
    { service: DEFAULT, environment },
    { service, environment: DEFAULT },
    { service, environment },
  ]
  return layers.filter((layer, at) => layers.findIndex((other) => nameOf(other) === nameOf(layer)) === at)
}

/** A configuration's name in messages and in `from`, such as `user-service/production`. */
export function nameOf({ service, environment }: ConfigPath): string {
  return `${service}/${environment}`
}

/** Keys whose values differ between two documents, in alphabetical order. */
export function changedKeys(before: Document, after: Document): readonly string[] {
  const keys = new Set([...before.keys(), ...after.keys()])
  return [...keys].filter((key) => !isDeepStrictEqual(before.get(key), after.get(key))).sort()
}

/** The strong validator of an answer (RFC 9110 §8.8.3): the same values give the same one, in any server. */
export function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
}

/** Whether a list of validators, as in If-None-Match or If-Match, holds one of these (RFC 9110 §13.1). */
export function matches(header: string, etags: readonly string[]): boolean {
  if (header.trim() === '*') return true
  return header.split(',').some((given) => etags.includes(given.trim().replace(/^W\//, '')))
}
