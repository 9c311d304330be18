import { hash } from 'node:crypto'
import { withoutPassword } from '../secrets/address-text.ts'

/** From where to where, by URL. */
export interface Way {
  readonly from: string
  readonly to: string
}

/** Names a move of a store or a bus: the same for every try, so that a later one knows what an earlier one began. @param data the data folder */
export function runName(data: string, { from, to }: Way): string {
  return hash('sha256', JSON.stringify([data, withoutPassword(from), withoutPassword(to)])).slice(0, 16)
}
