import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { dataInGit } from './data-in-git.ts'

let root = ''
let shop = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'msvc-git-'))
  shop = join(root, 'shop')
  mkdirSync(shop)
})
afterEach(() => rmSync(root, { recursive: true }))

const REMARK = "git would take in the keys and databases of .msvc: echo '.msvc/' >> .gitignore"

it('is told of in a repository alone, until git leaves it out', () => {
  expect(dataInGit(shop, '.msvc')).toBe(undefined)
  mkdirSync(join(root, '.git'))
  expect(dataInGit(shop, '.msvc')).toBe(REMARK)
  expect(dataInGit(shop, join(shop, '.msvc'))).toBe(REMARK)
  expect(dataInGit(shop, '/var/lib/msvc')).toBe(undefined)
  writeFileSync(join(shop, '.gitignore'), 'dist/\n')
  expect(dataInGit(shop, '.msvc')).toBe(REMARK)
})

it.each(['.msvc/', '.msvc', '/.msvc', '.*'])('is left out by %s', (rule) => {
  mkdirSync(join(shop, '.git'))
  writeFileSync(join(shop, '.gitignore'), `${rule}\n`)
  expect(dataInGit(shop, '.msvc')).toBe(undefined)
})

it('is left out by a folder above', () => {
  mkdirSync(join(root, '.git'))
  writeFileSync(join(root, '.gitignore'), '.msvc/\n')
  expect(dataInGit(shop, '.msvc')).toBe(undefined)
})
