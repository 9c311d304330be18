import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDataFolder } from './data-folder.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'msvc-data-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** A folder of a mode, whatever the umask, with files in it. */
function folder(mode: number, names: readonly string[] = []): string {
  const path = join(home, 'data')
  mkdirSync(path)
  for (const name of names) writeFileSync(join(path, name), '')
  chmodSync(path, mode)
  return path
}
const modeOf = (path: string) => statSync(path).mode & 0o7777

describe('openDataFolder', () => {
  it('makes the folder and those above it for their owner alone', () => {
    const path = join(home, 'a/b/c')
    openDataFolder(path)
    expect([modeOf(join(home, 'a')), modeOf(join(home, 'a/b')), modeOf(path)]).toEqual([0o700, 0o700, 0o700])
  })

  it.each([
    ['an empty one', 0o755, []],
    ['an empty one that others may write to', 0o777, []],
    ['one with databases', 0o750, ['user-service.db']],
    ['one with keys', 0o711, ['keys']],
    ['one that others only may read, group not', 0o704, ['run.json']],
    ['one where a single role ran', 0o755, ['run-user-8001.json']],
  ])('closes %s that others can get at', (_, mode, names) => {
    const path = folder(mode, names)
    openDataFolder(path)
    expect(modeOf(path)).toBe(0o700)
  })

  it('closes what is ours in it', () => {
    const names = ['user-service.db', 'user-service.db-wal', 'run-user-8001.json', 'notes.txt']
    const path = folder(0o700, names)
    for (const name of names) chmodSync(join(path, name), 0o666)
    openDataFolder(path)
    expect(names.map((name) => modeOf(join(path, name)))).toEqual([0o600, 0o600, 0o600, 0o666])
  })

  it('makes none in another, which would look empty', () => {
    const path = folder(0o700, ['keys', 'known-instances.json'])
    expect(() => openDataFolder(join(path, 'msvc'))).toThrow(/new one in another, .*: to go on .* MSVC_DATA$/)
    openDataFolder(path)
  })

  const isRoot = process.geteuid?.() === 0
  /** A path of somebody who isn't us. */
  const another = (path: string) => {
    if (isRoot) chownSync(path, 12_345, 12_345)
    return isRoot ? path : '/usr'
  }

  it('refuses another user’s, root being no exception', () => {
    const path = another(folder(0o700))
    expect(() => openDataFolder(path)).toThrow(/belongs to another user; run msvc as that user, or .*--data/)
  })

  it.runIf(isRoot)('refuses one with another user’s database', () => {
    const path = folder(0o700, ['user-service.db'])
    another(join(path, 'user-service.db'))
    expect(() => openDataFolder(path)).toThrow(/user-service\.db belongs to another user; move it away/)
  })

  it.each([
    ['holds somebody’s files', 0o755, ['thesis.tex']],
    ['others could have put databases into', 0o777, ['user-service.db']],
    ['everybody puts things into', 0o1777, []],
  ])('leaves one alone that %s, and says what to do', (_, mode, names) => {
    const path = folder(mode, names)
    expect(() => openDataFolder(path)).toThrow(
      /^Other users can get at (?!.*chmod).*choose another data folder with --data$/,
    )
    expect(modeOf(path)).toBe(mode)
  })

  it.each([
    ['under /proc', () => '/proc/nowhere/data', 'nothing can be made there'],
    ['under a file', () => join(folder(0o700, ['file']), 'file/data'), 'no folder stands in its way'],
    ['where a file is', () => join(folder(0o700, ['file']), 'file'), 'no folder stands in its way'],
    ['with a name too long', () => join(home, 'x'.repeat(300)), 'the name is too long'],
    [
      'where a link to nowhere is',
      () => {
        symlinkSync(join(home, 'nowhere'), join(home, 'link'))
        return join(home, 'link')
      },
      'no folder stands in its way',
    ],
    [
      'behind links in a circle',
      () => {
        symlinkSync(join(home, 'a'), join(home, 'b'))
        symlinkSync(join(home, 'b'), join(home, 'a'))
        return join(home, 'a/data')
      },
      'links lead in a circle',
    ],
  ])('fails at once for one %s, and says why', (_, place, why) => {
    const path = place()
    expect(() => openDataFolder(path)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(why) }),
    )
  })
})
