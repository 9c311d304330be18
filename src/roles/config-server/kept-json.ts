import * as z from 'zod'
import { membersOf } from '../../kit/exact-json.ts'
import type { Document, KeptValue } from './documents.ts'

const Sealed = z.strictObject({ sealed: z.string(), guessed: z.literal(true).optional() })

/** A document as it is written to disk: `{"key":{"value":…},"secret":{"sealed":"…"}}`, values to the letter. */
export function jsonOf(document: Document): string {
  const members = Array.from(document, ([key, kept]) => {
    return `${JSON.stringify(key)}:${'sealed' in kept ? JSON.stringify(kept) : `{"value":${kept.text}}`}`
  })
  return `{${members.join(',')}}`
}

/** The document that was written so. */
export function documentOf(json: string): Document {
  return new Map(Array.from(membersOf(json), ([key, text]): [string, KeptValue] => [key, keptOf(text)]))
}

function keptOf(text: string): KeptValue {
  const value = membersOf(text).get('value')
  return value === undefined ? Sealed.parse(JSON.parse(text)) : { text: value }
}
