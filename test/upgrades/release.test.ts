import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { VERSION } from '../../src/cli/session/version.ts'

const root = join(import.meta.dirname, '../..')
const clone = mkdtempSync(join(tmpdir(), 'msvc-release-'))
const home = mkdtempSync(join(tmpdir(), 'msvc-home-'))
afterAll(() => {
  for (const folder of [clone, home]) rmSync(folder, { recursive: true, force: true })
})

const identity = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b.c',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@b.c',
}
const env = { PATH: process.env.PATH, HOME: home, ...identity }
const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: clone, env, encoding: 'utf8' }).trim()
const text = (path: string) => readFileSync(join(clone, path), 'utf8')

/** Runs a program of the clone; gives its exit code and what it said. */
const node = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, args, { cwd: clone, env, maxBuffer: 2 ** 24 }).then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    ({ code, stdout, stderr }) => ({ code, said: `${stdout}${stderr}` }),
  )

/** A version behind this one. */
const next = VERSION.replace(/\.(\d+)\.\d+$/, (_, minor) => `.${Number(minor) + 1}.0`)

// the sources as they are here, committed or not, as a repository of its own
beforeAll(() => {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const path of listed.toString().split('\0')) {
    if (path === '' || !existsSync(join(root, path))) continue
    mkdirSync(join(clone, dirname(path)), { recursive: true })
    cpSync(join(root, path), join(clone, path))
  }
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  writeFileSync(join(clone, '.gitignore'), `${text('.gitignore')}node_modules\n`)
  const changelog = text('CHANGELOG.md').replace('## Unreleased\n', '## Unreleased\n\n- Something new.\n')
  writeFileSync(join(clone, 'CHANGELOG.md'), changelog)
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('commit', '-q', '-m', 'all')
})

it('has no effect when it is imported, and says what it would do', async () => {
  expect(await node('--eval', `import('./release/release.ts')`)).toEqual({ code: 0, said: '' })
  const { code, said } = await node('release/release.ts', next, '--dry-run')
  expect({ code, said }).toMatchObject({
    code: 0,
    said: expect.stringContaining('would do: deploy: npm run deploy-files'),
  })
  expect(said).toContain('archives for linux-x64, linux-arm64, win-x64, darwin-arm64')
  expect(git('status', '--porcelain')).toBe('')
})

it.each([
  [[], 'which version?'],
  [['0.0.1'], `0.0.1 is older than ${VERSION}`],
  [['next'], 'which version?'],
])('refuses %j', async (args, why) => {
  const refused = await node('release/release.ts', ...args)
  expect(refused).toEqual({ code: 1, said: expect.stringContaining(`no release: ${why}`) })
})

it('makes a release: a commit and a tag of files that all say its version, and that later versions are tried with', async () => {
  writeFileSync(join(clone, 'left.txt'), '')
  expect((await node('release/release.ts', next, '--no-build')).said).toMatch(
    /^no release: commit or remove first .*\n.*left\.txt/,
  )
  rmSync(join(clone, 'left.txt'))
  const { code, said } = await node('release/release.ts', next, '--no-build')
  expect(code, said).toBe(0)
  expect(git('status', '--porcelain')).toBe('')
  expect(git('log', '-1', '--format=%s')).toBe(`release: ${next}`)
  expect(git('describe')).toBe(`v${next}`)
  expect(JSON.parse(text('package.json')).version).toBe(next)
  expect(text('CHANGELOG.md')).toMatch(
    new RegExp(`## Unreleased\\n\\n## ${next} \\(\\d{4}-\\d\\d-\\d\\d\\)\\n\\n- Something new\\.`),
  )
  expect(JSON.parse(text(`test/upgrades/${next}/release.json`))).toMatchObject({
    version: next,
    commit: git('rev-parse', 'HEAD~'),
  })
  expect(text('deploy/compose/compose.yaml')).toContain(`msvc:${next}`)
  expect(
    git('ls-files', 'deploy')
      .split('\n')
      .filter((path) => path.includes('secrets')),
  ).toEqual([])
  const kept = await node('node_modules/vitest/vitest.mjs', 'run', 'src/cli/deploy/kept-files.test.ts')
  expect(kept.code, kept.said).toBe(0)
  expect(await node('release/release.ts', next)).toEqual({
    code: 1,
    said: expect.stringContaining(`there is a tag v${next} already`),
  })
}, 480_000)
