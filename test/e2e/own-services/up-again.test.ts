import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, inject, it } from 'vitest'
import { controlAddress } from '../../../src/kit/supervisor/control-address.ts'
import { NO_CHANGES } from '../../../src/kit/supervisor/control-protocol.ts'
import { commandsIn } from '../running-platform.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-again-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
copyFileSync(join(import.meta.dirname, 'echo.mjs'), join(folder, 'echo.mjs'))

const services = (level: string) =>
  `services: { echo: { run: [${process.execPath}, echo.mjs], ready: http /health, env: { LEVEL: ${level} } } }\n`

it('applies the changed file to the platform that runs, and refuses what it can not', {
  timeout: 120_000,
}, async () => {
  const { msvc, up, configure } = commandsIn(folder, services('debug'))
  await using platform = await up('data', '--only', 'registry,echo')
  const again = (...flags: readonly string[]) => msvc('data', 'up', ...flags)
  const refused = (why: string) => ({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^error: a platform runs on .*data already \\(process ${platform.child.pid}\\)${why}`),
    ),
  })

  configure(services('info'))
  expect(JSON.parse(await again('--json'))).toEqual({ ...NO_CHANGES, restarted: ['echo'] })
  expect(await again('--detach')).toBe('nothing has changed\n')

  const ways = 'msvc apply has it follow its file, msvc down stops it'
  await expect(again('--scale', 'echo=2')).rejects.toMatchObject(
    refused(`, and --scale holds from its start on; ${ways}`),
  )
  await expect(again('--detach', '--only', 'registry')).rejects.toMatchObject(refused(', and --only'))
  writeFileSync(join(folder, 'other.yaml'), services('info'))
  const byOther = [inject('program'), 'up', '--data', 'data', '--config', 'other.yaml']
  await expect(promisify(execFile)(process.execPath, byOther, { cwd: folder })).rejects.toMatchObject(
    refused(`, by the configuration ${join(folder, 'free.yaml')}; ${ways}`),
  )
  configure('client: { tries: 5 }\n')
  await expect(again()).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('client.tries: unknown key') })

  configure(services('debug'))
  rmSync(controlAddress(join(folder, 'data')))
  await expect(again()).rejects.toMatchObject(refused('; stop it, or choose another folder with --data'))
  expect(platform.child.exitCode).toBeNull()
})
