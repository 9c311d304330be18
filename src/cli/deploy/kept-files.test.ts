import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { KINDS } from './kinds.ts'
import { deploymentOf } from './testing/deployment-of.ts'

const repository = join(import.meta.dirname, '../../../deploy')

it.each(KINDS)(
  'the repository has what deploy $name writes for the built-in defaults: npm run deploy-files',
  async (kind) => {
    const write = await kind.load()
    const { files } = await write(await deploymentOf(), () => 'secret')
    const written = files.filter(({ isSecret }) => !isSecret).map(({ path, text }) => [path, text])
    const found = written.map(([path = '']) => [path, readFileSync(join(repository, kind.name, path), 'utf8')])
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(written))
  },
)
