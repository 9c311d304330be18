import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configure } from '../session/configuration.ts'
import { planDeployment } from './plan-deployment.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'msvc-plan-'))
})
afterEach(() => rmSync(root, { recursive: true }))

/** Plans a deployment of a file. */
async function plan({ shop = 'shop', name = 'msvc.yaml', text = '{}\n', out = 'deploy/compose' }) {
  const here = join(root, shop)
  const path = join(here, name)
  mkdirSync(here)
  writeFileSync(path, text)
  const configured = await configure(
    { io: { folder: here, environment: {} }, options: { config: path } },
    { runs: false },
  )
  const file = { path, text, isPrivate: false }
  return planDeployment({ configured, file, folder: join(here, out), here, scale: new Map() })
}

const BREAKS = ['\n', '\r', '\u001b', '\u0085', '\u2028']

describe('what would break out of a generated file', () => {
  it.each(BREAKS)('is refused in every name that is written to one: %j', async (sign) => {
    const refusal = (what: string) => ({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(new RegExp(`^${what}: [^\\n]* has a line break or another control character`)),
    })
    const word = `a${sign}RUN touch`
    await expect(plan({ name: `${word}.yaml` })).rejects.toMatchObject(refusal('the name of the file'))
    await expect(plan({ shop: '1', out: `${word}/compose` })).rejects.toMatchObject(refusal('--out'))
    await expect(plan({ shop: word, out: '../out' })).rejects.toMatchObject(refusal('the folder of .*'))
    const text = `services: { cat: { run: node cat.mjs, dir: ${JSON.stringify(word)} } }\n`
    await expect(plan({ shop: '2', text })).rejects.toMatchObject(refusal('services.cat.dir'))
  })

  it('is nothing that quotes can hold', async () => {
    for (const [index, word] of ['a b', 'ä', "it's", '100%', '$HOME', '"'].entries())
      expect(await plan({ shop: `${index}${word}`, out: `../${word}/compose` })).toMatchObject({
        sources: `../../${index}${word}`,
        folder: `../${word}/compose`,
      })
  })
})
