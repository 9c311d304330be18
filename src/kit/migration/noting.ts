import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { beginNoting, endNoting, type KeyedTable } from '../../drivers/store/sqlite-changes.ts'

/** Says which stores of a data folder note their changes: whoever made them do so may be gone. */
const LIST = 'noting.json'
const Names = z.array(z.string().regex(/^[A-Za-z0-9-]{1,64}$/))

/** A store that is to note its changes, and of which tables. */
export interface Noting {
  /** The store's name. */
  readonly name: string
  readonly tables: readonly KeyedTable[]
}

/** Has stores of a data folder note their changes from now on; what they noted before is forgotten. Throws what node:fs and `beginNoting` throw. */
export function noteChanges(folder: string, stores: readonly Noting[]): void {
  writeFileSync(join(folder, LIST), JSON.stringify(stores.map(({ name }) => name)), { mode: 0o600, flush: true })
  for (const { name, tables } of stores) beginNoting(join(folder, `${name}.db`), tables)
}

/** Ends it; does nothing where no store does so. Throws what node:fs and `endNoting` throw. */
export function stopNoting(folder: string): void {
  const list = join(folder, LIST)
  if (!existsSync(list)) return
  const names = Names.safeParse(JSON.parse(readFileSync(list, 'utf8') || '[]')).data ?? []
  for (const name of names) endNoting(join(folder, `${name}.db`))
  rmSync(list, { force: true })
}
