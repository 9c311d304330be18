import { AppError } from '../../../kit/errors.ts'
import { MAX_ITEM_BYTES } from '../../../kit/http/batch.ts'
import { MAX_OTLP_VALUES } from './bounds.ts'
import type { OtlpScope } from './messages.ts'

/** What a walk through a request comes to: an item and where it comes from, or why it isn't taken. Undefined is a pause, for others to have their turn. */
export type Walked<T> = Found<T> | undefined

/** An item that a walk comes to. */
export type Found<T> = { readonly item: T; readonly scope: OtlpScope } | { readonly refused: string }

/** What is said of an item whose bytes are too many to be read at one go. */
export function tooLargeItem(): { readonly refused: string } {
  return { refused: `it has more than ${MAX_ITEM_BYTES} bytes` }
}

/** The error of a request that would take too much memory. */
export function tooManyValues(): AppError {
  return new AppError('BODY_TOO_LARGE', `The body holds more than ${MAX_OTLP_VALUES} values; send several`)
}
