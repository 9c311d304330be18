import * as z from 'zod'
import { Platform, type Settings } from './schema.ts'

/** A setting that says where things are kept: what lies in files lies in `data`. */
export type PlaceKind = 'data' | 'store' | 'bus' | 'cache'

/** Where a platform keeps what it keeps. */
export const Places = z.object({
  data: Platform.shape.data,
  store: Platform.shape.store,
  bus: Platform.shape.bus,
  cache: Platform.shape.cache,
})
export type Places = Pick<Settings, PlaceKind>

const KINDS: readonly PlaceKind[] = ['data', 'store', 'bus', 'cache']

/** The kinds of place in which two sets differ. */
export function differences(some: Places, others: Places): readonly PlaceKind[] {
  return KINDS.filter((kind) => some[kind] !== others[kind])
}
