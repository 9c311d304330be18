import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planFolder, writeFolder } from './deploy-folder.ts'
import type { DeployFile } from './deployment.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-folder-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (path: string) => join(folder, path)
const file = (path: string, text: string, more: Partial<DeployFile> = {}): DeployFile => ({ path, text, ...more })
const fates = (files: readonly DeployFile[], kind = 'compose', force = false) =>
  planFolder(folder, kind, files, force).map(({ fate }) => fate)

/** Writes as the command does where nobody answers. */
async function write(...files: readonly DeployFile[]): Promise<void> {
  const all = planFolder(folder, 'compose', files, false)
  const chosen = all.filter(({ fate }) => fate === 'new' || fate === 'updated').map((one) => one.file)
  await writeFolder(folder, { kind: 'compose', version: '1', all, chosen })
}

describe('a folder of a deployment', () => {
  it('tells what is new, as it was, and written over since nobody has changed it', async () => {
    expect(fates([file('a', '1')])).toEqual(['new'])
    await write(file('a', '1'), file('b/c', '1'))
    expect(fates([file('a', '1'), file('b/c', '2')])).toEqual(['same', 'updated'])
    await write(file('a', '1'), file('b/c', '2'))
    expect(readFileSync(at('b/c'), 'utf8')).toBe('2')
  })

  it('leaves what a person has changed, and says when something else is proposed than then', async () => {
    await write(file('a', '1'))
    writeFileSync(at('a'), 'mine')
    expect(fates([file('a', '1')])).toEqual(['yours'])
    expect(fates([file('a', '2')])).toEqual(['disputed'])
    expect(fates([file('a', '2')], 'compose', true)).toEqual(['updated'])
    await write(file('a', '2'))
    expect(readFileSync(at('a'), 'utf8')).toBe('mine')
    // nobody has said yes: it is asked again
    expect(fates([file('a', '2')])).toEqual(['disputed'])
  })

  it('makes a secret once, readable as it says, in a folder of its owner alone', async () => {
    const secret = (text: string) => file('secrets/key', text, { mode: 0o444, isSecret: true })
    await write(secret('one'))
    await write(secret('two'))
    expect(readFileSync(at('secrets/key'), 'utf8')).toBe('one')
    expect(statSync(at('secrets')).mode & 0o777).toBe(0o700)
    expect(statSync(at('secrets/key')).mode & 0o777).toBe(0o444)
    expect(readFileSync(at('.msvc-deploy.json'), 'utf8')).not.toContain('secrets/key')
  })

  it('refuses what somebody else has written, and a deployment of another kind', async () => {
    writeFileSync(at('a'), 'theirs')
    expect(() => fates([file('a', '1')])).toThrow(/is not empty: a was written by somebody else; .*--out.*--force/)
    expect(fates([file('a', '1')], 'compose', true)).toEqual(['updated'])
    expect(fates([file('b', '1')])).toEqual(['new'])
    await write(file('b', '1'))
    expect(() => fates([file('b', '1')], 'systemd')).toThrow(/holds a deployment for compose; .*--out/)
  })

  it('follows no link, and says what is in the way', () => {
    writeFileSync(at('elsewhere'), 'theirs')
    symlinkSync(at('elsewhere'), at('a'))
    mkdirSync(at('b'))
    for (const name of ['a', 'b'])
      expect(() => fates([file(name, '1')])).toThrow(new RegExp(`${name} is in the way: it is no file`))
  })

  it('says in one line what can not be written', async () => {
    const all = [{ file: file('a/b', '1'), fate: 'new' as const, yours: undefined }]
    writeFileSync(at('a'), 'a file where a folder is wanted')
    const writing = writeFolder(folder, { kind: 'compose', version: '1', all, chosen: all.map((one) => one.file) })
    await expect(writing).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringMatching(/can't be written: [^\n]*$/),
    })
  })

  it.each(['', '{', '{"kind":1}', '[]'])('does not go by a record that is none: %j', (text) => {
    writeFileSync(at('.msvc-deploy.json'), text)
    expect(() => fates([file('a', '1')])).toThrow(/\.msvc-deploy\.json can't be read, .*move it away/)
  })
})
