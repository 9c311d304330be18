import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { run } from '../run.ts'
import type { Terminal } from '../terminal/io.ts'
import { QUIET, quietIo } from '../terminal/testing/quiet-io.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** What `msvc up` says on stdout, once it is ready; it is stopped then, and `stopped` told what it says on stderr at that moment. */
async function welcome(isTTY: boolean, flags: string[] = [], stopped = (_err: string) => {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-up-'))
  folders.push(folder)
  writeFileSync(
    join(folder, 'free.yaml'),
    'registry: { port: 0 }\nuser: { port: 0 }\norder: { port: 0 }\ngateway: { port: 0 }\n',
  )
  const stopping = new AbortController()
  const silent: Terminal = { ...QUIET, columns: 100 }
  let said = ''
  let complained = ''
  const write = (text: string) => {
    said += text
    complained = ''
    stopping.abort()
    stopped(complained)
  }
  const only = ['--in-process', '--only', 'registry,user,order,gateway', '--config', 'free.yaml']
  const complain = (text: string) => {
    complained += text
  }
  const { signal } = stopping
  const out = { ...silent, isTTY, write }
  const err = { ...silent, isTTY, write: complain }
  const code = await run(['up', ...only, ...flags], quietIo(folder, { out, err, signal, leaving: signal }))
  expect(code).toBe(0)
  return said
}

const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/

it('gives a terminal a token, and what is kept the command that makes one', async () => {
  expect(await welcome(true)).toMatch(TOKEN)
  expect(await welcome(true, ['--json'])).toMatch(TOKEN)
  const kept = await welcome(false, ['--data', "it's"])
  expect(kept).not.toMatch(TOKEN)
  expect(kept).toContain(`TOKEN=$(msvc token --subject ann --scope `)
  expect(kept).toContain(`--data 'it'\\''s')`)
  expect(await welcome(false, ['--json'])).not.toMatch(TOKEN)
})

it('says on a terminal at once that it stops, and what it waits for', async () => {
  const shown: string[] = []
  for (const isTTY of [true, false]) await welcome(isTTY, [], (text) => void shown.push(text))
  expect(shown[0]).toContain('stopping (Ctrl-C again: at once), waiting for registry, user, order, gateway')
  expect(shown[1]).toBe('')
})
