import { readRegularFile } from '../../drivers/regular-file.ts'
import { locateYaml } from '../../kit/config/locate.ts'
import { sortServices } from '../../kit/config/own-services.ts'

/** What a configuration file says, whether or not the rest of it holds. */
export interface Glance {
  /** Where it has the data folder. Absent: it doesn't say. */
  readonly data?: string
  /** Names of the user's own services. */
  readonly services: readonly string[]
}

/** As much as a configuration may be. */
const MAX_BYTES = 262_144
/** Where the line stands by itself: of what can't be parsed that is told all the same. */
const DATA = /^data:[ \t]+(["']?)([\w./~][^\s"']*)\1[ \t]*(?:#.*)?\r?$/m

/** Looks into a file without checking it. Never throws: one that can't be read says nothing. @param file its path */
export function glanceAt(file: string): Glance {
  try {
    const text = readRegularFile(file, MAX_BYTES).toString('utf8')
    const { value, faults } = locateYaml(text)
    const { data = faults.length > 0 ? DATA.exec(text)?.[2] : undefined, services } = value
    return { ...(typeof data === 'string' && { data }), services: Object.keys(sortServices(services).own) }
  } catch {
    return { services: [] }
  }
}
