import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { commandOf } from './shell-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-shell-'))
afterAll(() => rmSync(folder, { recursive: true }))
for (const name of ['npm.cmd', 'go.exe', 'both.exe', 'both.cmd']) writeFileSync(join(folder, name), '')

const place = { dir: '/', path: folder }

describe('a command', () => {
  it('is a line for the shell of the system', () => {
    expect(commandOf('make && ./run', place, 'linux')).toEqual({
      program: '/bin/sh',
      args: ['-c', 'make && ./run'],
      isVerbatim: false,
    })
    expect(commandOf('npm start -- "a b"', place, 'win32')).toEqual({
      program: 'cmd.exe',
      args: ['/d', '/s', '/c', '"npm start -- "a b""'],
      isVerbatim: true,
    })
  })

  it('of words is its program', () => {
    expect(commandOf(['node', 'a b.js'], place, 'linux')).toEqual({
      program: 'node',
      args: ['a b.js'],
      isVerbatim: false,
    })
    expect(commandOf(['go', 'run', '.'], place, 'win32')).toMatchObject({ program: 'go', args: ['run', '.'] })
    expect(commandOf(['both', 'x'], place, 'win32')).toMatchObject({ program: 'both' })
  })

  it.each([
    [['npm', 'start'], '"npm start"'],
    [['npm', 'run', 'a b'], '"npm run "a b""'],
    [['npm', 'say "hi" & del *'], '"npm "say ""hi"" & del *""'],
    [['npm', '%PATH%'], '"npm ""^%"PATH"^%"""'],
    [[join(folder, 'npm.cmd'), 'x'], `"${join(folder, 'npm.cmd')} x"`],
  ])('of words goes through cmd on Windows where it is a script: %j', (words, line) => {
    expect(commandOf(words, place, 'win32')).toEqual({
      program: 'cmd.exe',
      args: ['/d', '/s', '/c', line],
      isVerbatim: true,
    })
  })
})
