import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { start } from './command-line.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-init-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
}

const msvc = (...args: readonly string[]) => start(folder, ...args).ended

it('writes a file that holds, of services in folders of all kinds', async () => {
  put({
    'catalog/catalog.py': 'print()',
    'user/package.json': '{"scripts":{"dev":"node --watch index.js"}}',
    'apps/Till Desk/go.mod': 'module till\n',
    'apps/Till Desk/main.go': 'package main\n',
    'node_modules/x/package.json': '{"scripts":{"start":"node x"}}',
    '.git/app.py': '',
    Procfile: 'mail: ruby mail.rb --from "a: b" # c\n',
    'docker-compose.yml': 'services: { catalog: { build: catalog, depends_on: [db] }, db: { image: "postgres:16" } }',
  })
  const written = await msvc('init', '--json')
  expect(written).toMatchObject({ code: 0 })
  expect(JSON.parse(written.out)).toMatchObject({
    file: join(folder, 'msvc.yaml'),
    services: [
      { name: 'mail', dir: '.', run: 'ruby mail.rb --from "a: b" # c', ready: 'none' },
      { name: 'catalog', dir: './catalog', run: 'python3 catalog.py' },
      { name: 'user-app', dir: './user', run: 'npm run dev' },
      { name: 'till-desk', dir: './apps/Till Desk', run: 'go run .' },
    ],
    remarks: [expect.stringContaining('db (postgres:16)')],
  })
  expect(await msvc('check')).toMatchObject({ code: 0, err: '' })
})

it('leaves a file alone that is there, unless told otherwise', async () => {
  put({ 'app.py': '', 'msvc.yaml': '# mine\n' })
  expect(await msvc('init')).toMatchObject({ code: 1, err: expect.stringContaining('--force writes over it') })
  expect(readFileSync(join(folder, 'msvc.yaml'), 'utf8')).toBe('# mine\n')
  expect(await msvc('init', '--force')).toMatchObject({ code: 0, out: expect.stringContaining(': python3 app.py') })
  expect(await msvc('check')).toMatchObject({ code: 0 })
})

it('writes nothing where it finds nothing, and into no folder that is not there', async () => {
  put({ 'inner/README.md': '' })
  expect(await msvc('init', 'inner')).toMatchObject({ code: 1, err: expect.stringContaining('nothing was found in') })
  expect(await msvc('init', 'nowhere')).toMatchObject({ code: 2, err: expect.stringContaining('there is no folder') })
  expect(() => readFileSync(join(folder, 'inner/msvc.yaml'))).toThrow('ENOENT')
})
