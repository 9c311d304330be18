import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isNewer } from '../../src/kit/version-order.ts'

/** The folders of all released versions (release/keepsakes.ts), the oldest first. */
export function releases(): readonly string[] {
  return readdirSync(import.meta.dirname, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^\d+\.\d+\.\d+$/.test(entry.name))
    .map(({ name }) => name)
    .toSorted((one, other) => (isNewer(one, other) ? 1 : -1))
    .map((name) => join(import.meta.dirname, name))
}
