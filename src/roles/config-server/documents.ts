import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { AppError } from '../../kit/errors.ts'
import { compactJson, membersOf } from '../../kit/exact-json.ts'
import { parseJsonText } from '../../kit/http/body.ts'
import { type ConfigPath, DEFAULT, FlaggedValue, Key } from './contract.ts'

/** A value as it is kept: in the clear, as the JSON text that it came as, or sealed; `guessed` when nobody said that it is a secret, but it shows. */
export type KeptValue = { readonly text: string } | { readonly sealed: string; readonly guessed?: true | undefined }
/** The values of one service in one environment, by key. */
export type Document = ReadonlyMap<string, KeptValue>

/** A value as somebody wants it to be; `secret` undefined: as it was, or as it looks. */
export interface WantedValue {
  readonly value: unknown
  /** The same as JSON, to the letter. */
  readonly text: string
  readonly secret: boolean | undefined
}

/** Which secrets one sees: those that were only guessed to be some, all, or none. */
export type Sight = 'none' | 'guessed' | 'all'
/** All of them, least first. */
export const SIGHTS: readonly Sight[] = ['none', 'guessed', 'all']

/** What stands in place of a secret for those who may not see it. */
export const MASK = '••••'

/** Reads `{"value": …, "secret": true}` or a plain value. Throws AppError `INVALID_BODY` for what is no JSON. */
export function wantedValue(text: string): WantedValue {
  return wantedOf(parseJsonText(text), text)
}

/** What is wanted by JSON, parsed and as text. */
function wantedOf(json: unknown, text: string): WantedValue {
  const flagged = FlaggedValue.safeParse(json)
  const value = flagged.success ? membersOf(text).get('value') : undefined
  return flagged.success && value !== undefined
    ? { value: flagged.data.value, text: value, secret: flagged.data.secret }
    : { value: json, text: compactJson(text), secret: undefined }
}

/** Reads the body of a document's PUT. Throws AppError `INVALID_REQUEST` when it is no object, or a key is none; `INVALID_BODY`. */
export function wantedDocument(text: string): ReadonlyMap<string, WantedValue> {
  const json = parseJsonText(text)
  if (typeof json !== 'object' || json === null || Array.isArray(json) || JSON.isRawJSON(json)) {
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
  const texts = membersOf(text)
  return new Map(entries.map(([key, value]) => [key, wantedOf(value, texts.get(key) ?? '')]))
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
