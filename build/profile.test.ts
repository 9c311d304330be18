import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { fileOfTar, tarGz } from './archives.ts'
import type { Program } from './compiled-program.ts'
import { packProfile, withProfile } from './profile.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-profile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const path = join(folder, 'kept.profile.tar.gz')
const into = join(folder, 'into')
let bundles: Program
beforeEach(() => {
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into)
  bundles = programOf('the program')
})

/** A program whose files say this. */
function programOf(text: string, compiled: Readonly<Record<string, string>> = {}): Program {
  const files = Object.entries({ program: text, clients: 'clients', ...compiled }).map(([name, content]) => {
    const file = join(folder, `${name}-${text.length}`)
    writeFileSync(file, content)
    return [name, file]
  })
  return { assets: Object.fromEntries(files), inputs: ['src/main.ts'] }
}

const keep = async () =>
  writeFileSync(path, await packProfile(programOf('the program', { user: 'compiled', help: 'too' }), 'linux-x64', 1e9))
const taken = () => withProfile(bundles, { path, target: 'linux-x64', folder: into })

describe('a profile', () => {
  it('adds to the same bundles what was compiled of them', async () => {
    await keep()
    const { assets, inputs } = await taken()
    expect(inputs).toEqual(['src/main.ts'])
    expect(Object.keys(assets)).toEqual(['program', 'clients', 'user', 'help'])
    expect(readFileSync(assets.user ?? '', 'utf8')).toBe('compiled')
    expect(assets.program).toBe(bundles.assets.program)
  })

  it('is refused for other sources, another target, and where it is damaged or not there', async () => {
    await keep()
    const refused = (why: RegExp) =>
      expect.objectContaining({ code: 'UNPROCESSABLE', message: expect.stringMatching(why) })
    bundles = programOf('another program')
    await expect(taken()).rejects.toEqual(refused(/kept\.profile\.tar\.gz: it is of other sources/))
    bundles = programOf('the program')
    const elsewhere = withProfile(bundles, { path, target: 'win-x64', folder: into })
    await expect(elsewhere).rejects.toEqual(refused(/win-x64 can't be built .* it is for linux-x64 with Node/))
    const about = await fileOfTar(gunzipSync(readFileSync(path)), 'profile.json')
    const file = { path: 'profile.json', bytes: about ?? Buffer.of(), isExecutable: false }
    writeFileSync(path, await tarGz([file], 1e9))
    await expect(taken()).rejects.toEqual(refused(/user is missing in it/))
    writeFileSync(path, 'no archive')
    await expect(taken()).rejects.toEqual(refused(/it can't be read/))
    rmSync(path)
    await expect(taken()).rejects.toEqual(refused(/it can't be read/))
  })
})
