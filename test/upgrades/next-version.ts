import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'
import { makeBundles } from '../../build/compiled-program.ts'
import { scriptOf } from '../../release/keepsakes.ts'
import { VERSION } from '../../src/cli/session/version.ts'

/** The migration that it has and these sources don't: it adds a column to users, which it has a default for. */
export const NEXT_MIGRATION = '9999_expand_nickname'
const ADDS_COLUMN = `{ up: async (db) => {
  await db.schema.alterTable('users').addColumn('nickname', 'text', (column) => column.notNull().defaultTo('none')).execute()
} }`
/** How the list of migrations ends in the user service's sources. */
const LIST = "'2026-01-02-demo-users': demo }"

/** The number of a version behind this one. */
const NEXT_VERSION = VERSION.replace(/\d+$/, (patch) => `${Number(patch) + 1}`)

/** Reads this one's sources as the next version's: another number, and a migration more. */
const asNext: Plugin = {
  name: 'next version',
  setup({ onLoad }) {
    onLoad({ filter: /package\.json$/ }, async ({ path }) => {
      const manifest = JSON.parse(await readFile(path, 'utf8'))
      if (manifest.name !== 'msvc') return undefined
      return { contents: JSON.stringify({ ...manifest, version: NEXT_VERSION }), loader: 'json' }
    })
    onLoad({ filter: /user-tables\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      if (!text.includes(LIST)) throw new Error(`${path} has no ${LIST} any more`)
      return {
        contents: text.replace(LIST, `${LIST.slice(0, -2)}, '${NEXT_MIGRATION}': ${ADDS_COLUMN} }`),
        loader: 'ts',
      }
    })
  },
}

/**
 * Makes a version behind this one: newer by its number, and its user service's table has a column more.
 * @param folder where its files go
 * @returns its program, a script for node
 */
export async function makeNextVersion(folder: string): Promise<{ readonly program: string; readonly version: string }> {
  await mkdir(folder, { recursive: true })
  await makeBundles(folder, [asNext])
  const program = join(folder, 'msvc.cjs')
  await writeFile(program, scriptOf(folder))
  return { program, version: NEXT_VERSION }
}
