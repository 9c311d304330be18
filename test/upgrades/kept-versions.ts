import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isNewer } from '../../src/kit/version-order.ts'

/** A release, or the state of a commit before the release of that number: `0.1.0`, `0.1.0-25d58a4`. */
const KEPT = /^(\d+\.\d+\.\d+)(-[0-9a-f]{7})?$/

/** The folders of all versions that were kept (release/keepsakes.ts), the oldest first. */
export function keptVersions(): readonly string[] {
  return readdirSync(import.meta.dirname, { withFileTypes: true })
    .flatMap((entry) => {
      const [name, version, commit] = (entry.isDirectory() && KEPT.exec(entry.name)) || []
      return name !== undefined && version !== undefined ? [{ name, version, isRelease: commit === undefined }] : []
    })
    .toSorted((one, other) => {
      if (one.version === other.version) return Number(one.isRelease) - Number(other.isRelease)
      return isNewer(one.version, other.version) ? 1 : -1
    })
    .map(({ name }) => join(import.meta.dirname, name))
}
