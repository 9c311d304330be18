import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { NO_CHANGES } from '../../../src/kit/supervisor/control-protocol.ts'
import { commandsIn } from '../running-platform.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-up-section-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
copyFileSync(join(import.meta.dirname, 'echo.mjs'), join(folder, 'echo.mjs'))

const SERVICES = `services: { echo: { run: [${process.execPath}, echo.mjs], ready: http /health, needs: [user] } }\n`
const fileWith = (up: string) => `up: ${up}\n${SERVICES}`

interface Row {
  readonly unit: string
  readonly pid: number
  readonly since: string
}

it('starts the roles that the file wants, in the processes that it wants, and follows its changes', {
  timeout: 120_000,
}, async () => {
  const { msvc, up, configure } = commandsIn(folder, fileWith('{ in_process: true, without: [order, payment] }'))
  await using platform = await up('data')
  const rows = async (): Promise<readonly Row[]> => JSON.parse(await msvc('data', 'ps', '--json')).units
  const before = await rows()
  const roles = ['registry', 'config-server', 'log-server', 'broker', 'user', 'gateway', 'outbound']
  expect(before.map(({ unit }) => unit).toSorted()).toEqual([...roles, 'echo'].toSorted())
  const here = before.filter(({ pid }) => pid === platform.child.pid).map(({ unit }) => unit)
  expect(here.toSorted()).toEqual(roles.toSorted())

  configure(fileWith('{ in_process: false, without: [payment] }'))
  expect(JSON.parse(await msvc('data', 'apply', '--json'))).toEqual({
    ...NO_CHANGES,
    started: ['order'],
    reloaded: ['outbound'],
    pending_restart: ['up.in_process'],
  })
  const after = await rows()
  expect(after.filter(({ unit }) => unit !== 'order')).toMatchObject(
    before.map(({ unit, pid, since }) => ({ unit, pid, since })),
  )
  expect(after.find(({ unit }) => unit === 'order')?.pid).toBe(platform.child.pid)

  configure(fileWith('{ in_process: true, without: [order, payment] }'))
  expect(JSON.parse(await msvc('data', 'apply', '--json'))).toEqual({
    ...NO_CHANGES,
    stopped: ['order'],
    reloaded: ['outbound'],
  })
  await platform.stop()

  await using apart = await up('data', '--no-in-process')
  expect((await rows()).filter(({ pid }) => pid === apart.child.pid)).toEqual([])
})
