import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { expect, it } from 'vitest'
import { digestOf } from './kept-record.ts'
import { KINDS } from './kinds.ts'
import { deploymentOf } from './testing/deployment-of.ts'

const repository = join(import.meta.dirname, '../../../deploy')
const RECORD = '.msvc-deploy.json'

/** What lies in a folder, by the path; secrets are for who made them alone. */
function filesOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = entries.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
  const open = paths.filter((path) => !path.startsWith('secrets/'))
  return Object.fromEntries(open.map((path) => [path, readFileSync(join(folder, path), 'utf8')]))
}

it.each(KINDS)(
  'the repository has what deploy $name writes for the built-in defaults, and nothing else: npm run deploy-files',
  async (kind) => {
    const write = await kind.load()
    const { files } = await write(await deploymentOf(), () => 'secret')
    const open = files.filter(({ isSecret }) => !isSecret)
    const { [RECORD]: record = '', ...found } = filesOf(join(repository, kind.name))
    expect(found).toEqual(Object.fromEntries(open.map(({ path, text }) => [path, text])))
    expect(JSON.parse(record).files).toEqual(Object.fromEntries(open.map(({ path, text }) => [path, digestOf(text)])))
  },
)

it('has no folder of a kind that is none', () => {
  const folders = readdirSync(repository, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(folders.map(({ name }) => name).sort()).toEqual(KINDS.map(({ name }) => name).sort())
})
