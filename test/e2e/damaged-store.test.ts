import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, inject, it, vi } from 'vitest'

const MAIN = inject('program')
/** It takes a second; a busy machine may take longer. */
const PATIENCE_MS = 15_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-damaged-'))
const stopping = new AbortController()
afterAll(() => {
  stopping.abort()
  rmSync(folder, { recursive: true, force: true })
})

/** Does nothing about a file that is set aside at this very moment. */
function cutOff(file: string): void {
  try {
    truncateSync(file, 4_096)
  } catch (fault) {
    if (!(fault instanceof Error && 'code' in fault && fault.code === 'ENOENT')) throw fault
  }
}

it('has a log server start anew whose database is cut off while it runs', async () => {
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

  const isAside = () => readdirSync(data).some((name) => name.startsWith('log-server.db.damaged-'))
  const aside = async () => {
    for (const end of ['', '-wal']) if (!isAside()) cutOff(join(data, `log-server.db${end}`))
    // what is written makes the next search read what it had in memory
    await statusOf(fetch(`${url}/logs`, post))
    await statusOf(fetch(`${url}/logs`))
    return isAside()
  }
  await vi.waitUntil(aside, { timeout: PATIENCE_MS })
  await vi.waitUntil(async () => (await statusOf(fetch(`${url}/readyz`))) === 200, { timeout: PATIENCE_MS })
  expect(await statusOf(fetch(`${url}/logs`))).toBe(200)
  expect(told.join('\n')).toMatch(/it is set aside, and a new one takes its place/)

  up.kill('SIGTERM')
  expect(await once(up, 'exit')).toEqual([0, null])
})
