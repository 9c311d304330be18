import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, inject, it, vi } from 'vitest'

const MAIN = inject('program')
/** It takes a second; a busy machine may take longer. */
const PATIENCE = { timeout: 30_000 }

const folder = mkdtempSync(join(tmpdir(), 'msvc-damaged-'))
const stopping = new AbortController()
afterAll(() => {
  stopping.abort()
  rmSync(folder, { recursive: true, force: true })
})

it('has a log server start anew whose database is cut off while it runs', { timeout: 120_000 }, async () => {
  writeFileSync(join(folder, 'free.yaml'), 'log-server: { port: 0 }\n')
  const data = join(folder, 'data')
  const args = ['up', '--json', '--quiet', '--only', 'log-server', '--config', 'free.yaml', '--data', data]
  const up = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: stopping.signal,
  })
  up.on('error', () => {})
  const told: string[] = []
  createInterface(up.stderr).on('line', (line) => told.push(line))
  const [line] = await once(createInterface(up.stdout), 'line')
  const [{ url }] = JSON.parse(line).roles
  const entry = JSON.stringify({ level: 'INFO', service: 'shop', message: 'sold' })
  const post = { method: 'POST', body: entry, headers: { 'content-type': 'application/json' } }
  const statusOf = (asked: Promise<Response>) =>
    asked.then(
      ({ status }) => status,
      () => 0,
    )
  expect(await statusOf(fetch(`${url}/logs`, post))).toBe(202)

  // held open, so that it isn't the new one that is cut off
  const files = ['', '-wal'].map((end) => openSync(join(data, `log-server.db${end}`), 'r+'))
  const isAside = () => readdirSync(data).some((name) => name.startsWith('log-server.db.damaged-'))
  const aside = async () => {
    for (const file of files) ftruncateSync(file, 4_096)
    // what is written makes the next search read what it had in memory
    await statusOf(fetch(`${url}/logs`, post))
    await statusOf(fetch(`${url}/logs`))
    return isAside()
  }
  await vi.waitUntil(aside, PATIENCE)
  for (const file of files) closeSync(file)
  await vi.waitUntil(async () => (await statusOf(fetch(`${url}/readyz`))) === 200, PATIENCE)
  expect(await statusOf(fetch(`${url}/logs`))).toBe(200)
  await expect.poll(() => told.join('\n')).toMatch(/it is set aside, and a new one takes its place/)

  up.kill('SIGTERM')
  expect(await once(up, 'exit')).toEqual([0, null])
})
