import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { answerAtTerminal } from './at-terminal.ts'
import { commandsIn, type RunningPlatform } from './running-platform.ts'

describe.skipIf(process.platform === 'win32')('a secret that is typed at a terminal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-typed-secret-'))
  const { msvc, up } = commandsIn(folder)
  let platform: RunningPlatform
  beforeAll(async () => {
    platform = await up('data', '--only', 'registry,config-server', '--in-process')
    await msvc('data', 'config', 'set', 'shop', 'provider_key', 'as it was', '--secret')
  })
  afterAll(async () => {
    await platform?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const type = (answer: string) =>
    answerAtTerminal(
      [process.execPath, inject('program'), 'config', 'set', 'shop', 'provider_key', '--secret', '--data', 'data'],
      { folder, question: 'not shown): ', answer },
    )
  const kept = () => msvc('data', 'config', 'get', 'shop', 'provider_key', '--secrets')

  it('is set, and is not shown', async () => {
    const { code, said } = await type('hunter 2\r')
    expect({ code, said }).toMatchObject({ code: 0, said: expect.stringContaining('provider_key is set') })
    expect(said).not.toContain('hunter')
    expect(await kept()).toBe('hunter 2\n')
  })

  it.each([
    ['\r', 'nothing was typed'],
    ['\u0004', 'nobody answers'],
    ['\u0003', 'nobody answers'],
    ['-----BEGIN\rPRIVATE KEY-----\r', 'more than one line'],
    ['-----BEGIN\rPRIVATE KEY-----', 'more than one line'],
  ])('stays as it was when %j is typed', async (answer, words) => {
    await msvc('data', 'config', 'set', 'shop', 'provider_key', 'as it was', '--secret')
    const { code, said } = await type(answer)
    expect({ code, said }).toMatchObject({ code: 2, said: expect.stringContaining(words) })
    expect(said).not.toMatch(/BEGIN|PRIVATE/)
    expect(await kept()).toBe('as it was\n')
  })
})
