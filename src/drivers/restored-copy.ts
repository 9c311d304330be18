import { basename } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { busFile } from './bus/embedded/database.ts'
import { forgetTokens } from './bus/embedded/restored-bus.ts'
import { asDamage } from './sqlite-soundness.ts'
import { skipSerials } from './store/sqlite-serials.ts'

/** The bus's file, as any folder names it. */
const BUS = busFile('')

/**
 * Readies a copy of a database that is put back: no number and no token that was given out since the copy was taken is ever given out again, for
 * something else. Nobody has it open. Throws DriverError `damaged`, and what node:sqlite throws.
 * @param skip how many numbers to leave out, at least as many as can have been given out since
 */
export function readyRestored(path: string, skip: number): void {
  const database = new DatabaseSync(path)
  try {
    database.exec('begin immediate')
    skipSerials(database, skip)
    if (basename(path) === BUS) forgetTokens(database, skip)
    database.exec('commit')
  } catch (fault) {
    throw asDamage(fault, path)
  } finally {
    database.close()
  }
}
