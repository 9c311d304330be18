import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeLock } from '../../drivers/file-lock.ts'
import { type FolderWriting, writeFolder } from './deploy-folder.ts'
import type { DeployFile } from './deployment.ts'
import { type FolderPlan, planFolder } from './folder-plan.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-folder-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const RECORD = '.msvc-deploy.json'
const SECRET_RECORD = `secrets/${RECORD}`
const at = (path: string) => join(folder, path)
/** Puts a text into a file, one that can't be written too. */
function put(path: string, words: string): void {
  rmSync(at(path), { force: true })
  writeFileSync(at(path), words)
}
const text = (path: string) => readFileSync(at(path), 'utf8')
const modeOf = (path: string) => statSync(at(path)).mode & 0o777
const file = (path: string, text: string, more: Partial<DeployFile> = {}): DeployFile => ({ path, text, ...more })
const secret = (text: string, more: Partial<DeployFile> = {}) =>
  file('secrets/url', text, { mode: 0o444, isSecret: true, ...more })
const plan = (files: readonly DeployFile[], { kind = 'compose', force = false } = {}) =>
  planFolder(folder, kind, files, force)
const fates = (files: readonly DeployFile[], more?: Parameters<typeof plan>[1]) =>
  plan(files, more).files.map(({ fate }) => fate)
const writing = (planned: FolderPlan, more: Partial<FolderWriting> = {}): FolderWriting => ({
  kind: 'compose',
  version: '1',
  plan: planned,
  chosen: planned.files.filter(({ fate }) => fate === 'new' || fate === 'updated').map((one) => one.file),
  declined: [],
  removed: [],
  ...more,
})
/** Writes as the command does where nobody answers. */
const write = (...files: readonly DeployFile[]) => writeFolder(folder, writing(plan(files)))

describe('a folder of a deployment', () => {
  it('tells what is new, as it was, and written over since nobody has changed it', async () => {
    expect(fates([file('a', '1')])).toEqual(['new'])
    await write(file('a', '1'), file('b/c', '1'))
    expect(fates([file('a', '1'), file('b/c', '2')])).toEqual(['same', 'updated'])
    await write(file('a', '1'), file('b/c', '2'))
    expect(text('b/c')).toBe('2')
    expect(readdirSync(folder).sort()).toEqual([RECORD, 'a', 'b'])
    expect([modeOf('b/c'), modeOf(RECORD)]).toEqual([0o644, 0o644])
  })

  it('leaves what a person has changed, and says when something else is proposed than then', async () => {
    await write(file('a', '1'))
    writeFileSync(at('a'), 'mine')
    expect(fates([file('a', '1')])).toEqual(['yours'])
    expect(fates([file('a', '2')])).toEqual(['disputed'])
    await write(file('a', '2'))
    expect(text('a')).toBe('mine')
    // nobody has said anything: it is asked again
    expect(fates([file('a', '2')])).toEqual(['disputed'])
    const planned = plan([file('a', '2')])
    await writeFolder(folder, writing(planned, { declined: planned.files.map((one) => one.file) }))
    expect(fates([file('a', '2')])).toEqual(['yours'])
    expect(fates([file('a', '3')])).toEqual(['disputed'])
    for (const proposed of ['2', '3']) expect(fates([file('a', proposed)], { force: true })).toEqual(['updated'])
  })

  it('refuses what somebody else has written, and a deployment of another kind', async () => {
    writeFileSync(at('a'), 'theirs')
    expect(() => fates([file('a', '1')])).toThrow(/is not empty: a was written by somebody else; .*--out.*--force/)
    expect(fates([file('a', '1')], { force: true })).toEqual(['updated'])
    expect(fates([file('b', '1')])).toEqual(['new'])
    await write(file('b', '1'))
    expect(() => fates([file('b', '1')], { kind: 'systemd' })).toThrow(/holds a deployment for compose; .*--out/)
    // both stay
    expect(plan([file('c', '1')], { kind: 'systemd', force: true }).unwanted).toEqual([])
  })

  it('follows no link, waits for no pipe, and says what is in the way', () => {
    writeFileSync(at('elsewhere'), 'theirs')
    symlinkSync(at('elsewhere'), at('a'))
    mkdirSync(at('b'))
    execFileSync('mkfifo', [at('c')])
    for (const name of ['a', 'b', 'c'])
      expect(() => fates([file(name, '1')])).toThrow(new RegExp(`${name} is in the way: it is no file`))
    execFileSync('mkfifo', [at(RECORD)])
    expect(() => fates([file('d', '1')])).toThrow(/\.msvc-deploy\.json can't be read/)
  })

  it('says in one line what can not be written', async () => {
    const planned = plan([file('b', '1')])
    writeFileSync(at('a'), 'a file where a folder is wanted')
    await expect(writeFolder(at('a'), writing(planned))).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringMatching(/can't be written: [^\n]*$/),
    })
  })

  it.each(['', '{', '{"kind":1}', '[]', '{"kind":"a","version":"1","files":{"../a":""}}'])(
    'does not go by a record that is none: %j',
    (words) => {
      writeFileSync(at(RECORD), words)
      expect(() => fates([file('a', '1')])).toThrow(/\.msvc-deploy\.json can't be read, .*move it away/)
    },
  )

  it('tells what nothing wants any more, and takes away what nobody has changed', async () => {
    await write(file('a', '1'), file('b', '1'), file('c', '1'), file('d', '1'), secret('1'))
    writeFileSync(at('b'), 'mine')
    rmSync(at('c'))
    rmSync(at('d'))
    mkdirSync(at('d'))
    const planned = plan([file('e', '1')])
    expect(planned.unwanted).toMatchObject([
      { path: 'a', isRemovable: true },
      { path: 'b', isRemovable: false },
      { path: 'secrets/url', isSecret: true, isRemovable: false },
    ])
    await writeFolder(folder, writing(planned))
    // and tells it again, until it is gone
    expect(plan([file('e', '1')]).unwanted.map(({ path }) => path)).toEqual(['a', 'b', 'secrets/url'])
    await writeFolder(folder, writing(plan([file('e', '1')]), { removed: ['a'] }))
    expect([existsSync(at('a')), Object.keys(JSON.parse(text(RECORD)).files)]).toEqual([false, ['b', 'e']])
    expect(plan([file('e', '1')]).unwanted.map(({ path }) => path)).toEqual(['b', 'secrets/url'])
    // wanted again: it is known what was written
    expect(fates([file('b', '1'), secret('2')])).toEqual(['yours', 'updated'])
  })
})

describe('what happens meanwhile', () => {
  it('writes nothing where something has changed since it was looked at', async () => {
    await write(file('a', '1'), file('b', '1'))
    const planned = plan([file('a', '2'), file('b', '2')])
    writeFileSync(at('b'), 'mine')
    await expect(writeFolder(folder, writing(planned))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/b has changed meanwhile; nothing was written, run it again/),
    })
    expect(text('a')).toBe('1')
  })

  it('writes nothing while another does', async () => {
    const planned = plan([file('a', '1')])
    const lock = takeLock(at('.msvc-deploy.lock'))
    await expect(writeFolder(folder, writing(planned))).rejects.toThrow(/another msvc deploy is writing/)
    lock?.release()
    await writeFolder(folder, writing(planned))
    expect(readdirSync(folder).sort()).toEqual([RECORD, 'a'])
  })

  it('knows what one who was killed half way has written', async () => {
    await write(file('a', '1'), file('b', '1'), secret('1'))
    const planned = plan([file('a', '2'), file('b', '2'), secret('2')])
    // a folder in the place of b.new ends it between the two, and leaves the record that it began with
    mkdirSync(at('b.new'))
    await expect(writeFolder(folder, writing(planned))).rejects.toThrow(/can't be written/)
    rmSync(at('b.new'), { recursive: true })
    expect([text('a'), text('b'), text('secrets/url')]).toEqual(['2', '1', '1'])
    expect(fates([file('a', '2'), file('b', '2'), secret('2')])).toEqual(['same', 'updated', 'updated'])
    // the configuration has changed again
    expect(fates([file('a', '3'), file('b', '3'), secret('3')])).toEqual(['updated', 'updated', 'updated'])
    mkdirSync(at('a.new'))
    await expect(writeFolder(folder, writing(plan([file('a', '3'), file('b', '3')])))).rejects.toThrow()
    rmSync(at('a.new'), { recursive: true })
    expect(fates([file('a', '4'), file('b', '4')])).toEqual(['updated', 'updated'])
    // what was never finished is unwanted by what comes then, too
    expect(plan([file('c', '1')]).unwanted.map(({ path }) => path)).toEqual(['a', 'b', 'secrets/url'])
  })

  it('writes nothing where nothing is to be written', async () => {
    await write(file('a', '1'), secret('1'))
    const times = () => [RECORD, SECRET_RECORD, 'a', '.'].map((path) => statSync(at(path)).mtimeMs)
    const before = times()
    await write(file('a', '1'), secret('1'))
    expect(times()).toEqual(before)
  })
})

describe('a secret', () => {
  it('is readable as it says, in a folder of its owner alone, and so is what is known of it', async () => {
    await write(secret('one'), file('a', '1'))
    expect([modeOf('secrets'), modeOf('secrets/url'), modeOf(SECRET_RECORD)]).toEqual([0o700, 0o444, 0o600])
    expect(text(RECORD)).not.toContain('secrets')
  })

  it('goes by the record like any file, where it is not random', async () => {
    await write(secret('one'))
    expect(fates([secret('two')])).toEqual(['updated'])
    await write(secret('two'))
    expect(text('secrets/url')).toBe('two')
    put('secrets/url', 'mine')
    expect([fates([secret('two')]), fates([secret('three')])]).toEqual([['yours'], ['disputed']])
  })

  it('is made once where it is random, and again when it is empty', async () => {
    const random = (text: string) => secret(text, { random: text })
    await write(random('one'))
    expect(fates([random('two')])).toEqual(['same'])
    put('secrets/url', 'mine')
    expect(fates([random('two')], { force: true })).toEqual(['same'])
    put('secrets/url', '\n')
    expect(fates([random('two')])).toEqual(['updated'])
    // of the file's by now, which nobody has changed
    await write(random('two'))
    expect(fates([secret('of the file')])).toEqual(['updated'])
  })

  it('is closed where others can read it, and so is its folder where that is all that keeps it from them', async () => {
    mkdirSync(at('secrets'))
    chmodSync(at('secrets'), 0o755)
    const key = file('secrets/key', '1', { mode: 0o400, isSecret: true })
    await write(key)
    expect(modeOf('secrets')).toBe(0o755)
    chmodSync(at('secrets/key'), 0o644)
    const planned = plan([key, secret('1')])
    expect(planned.open).toEqual([
      { path: 'secrets/key', mode: 0o400 },
      { path: 'secrets', mode: 0o700 },
    ])
    await writeFolder(folder, writing(planned))
    expect([modeOf('secrets'), modeOf('secrets/key'), modeOf('secrets/url')]).toEqual([0o700, 0o400, 0o444])
    expect(plan([key, secret('1')]).open).toEqual([])
  })

  it('may lie in the folder itself, which stays as it is', async () => {
    chmodSync(folder, 0o755)
    await write(file('msvc.yaml', '1', { mode: 0o600, isSecret: true }))
    expect([modeOf('.'), modeOf('msvc.yaml')]).toEqual([0o755, 0o600])
    await write(file('msvc.yaml', '1', { mode: 0o444, isSecret: true }))
    expect(modeOf('.')).toBe(0o755)
    expect(plan([file('msvc.yaml', '2', { mode: 0o600, isSecret: true })]).files[0]?.fate).toBe('updated')
  })
})
