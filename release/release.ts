// Makes a release: npm run release -- 0.2.0 [--dry-run]
import { execFile, execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { isNewer } from '../src/kit/version-order.ts'
import { keepRelease } from './keepsakes.ts'

const root = process.cwd()
const run = promisify(execFile)
const UNRELEASED = '## Unreleased\n'
const FILES = ['CHANGELOG.md', 'package.json', 'package-lock.json', 'test/upgrades'] as const

/** Why there is no release, for who asked. */
class Refusal extends Error {}

const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

/** The changelog with its unreleased part dated, and an empty one before it. Throws a Refusal when there is nothing in it. */
function datedChangelog(text: string, version: string, date: string): string {
  const [before, after] = text.split(UNRELEASED, 2)
  const part = after?.split('\n## ', 1)[0]?.trim()
  if (before === undefined || !part)
    throw new Refusal('CHANGELOG.md has nothing under "## Unreleased": say there what is new')
  return `${before}${UNRELEASED}\n## ${version} (${date})\n${after}`
}

/** A JSON file's text with its version, and in a lock file its root package's, replaced. */
function versioned(text: string, version: string): string {
  const json = JSON.parse(text)
  json.version = version
  if (json.packages?.['']) json.packages[''].version = version
  return `${JSON.stringify(json, undefined, 2)}\n`
}

function check(version: string | undefined, present: string): asserts version is string {
  if (version === undefined || !/^\d+\.\d+\.\d+$/.test(version))
    throw new Refusal('which version? npm run release -- 0.2.0 [--dry-run]')
  if (isNewer(present, version)) throw new Refusal(`${version} is older than ${present}, which package.json has`)
  if (git('tag', '--list', `v${version}`) !== '') throw new Refusal(`there is a tag v${version} already`)
  const changed = git('status', '--porcelain')
  if (changed !== '') throw new Refusal(`commit or remove first what is changed here:\n${changed}`)
}

async function release(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'dry-run': { type: 'boolean' } } })
  const [version] = positionals
  const manifest = await readFile(join(root, 'package.json'), 'utf8')
  check(version, JSON.parse(manifest).version)
  const date = new Date().toISOString().slice(0, 10)
  const changelog = datedChangelog(await readFile(join(root, 'CHANGELOG.md'), 'utf8'), version, date)
  const steps = [
    `CHANGELOG.md: "Unreleased" becomes "${version} (${date})"`,
    `package.json, package-lock.json: ${version}`,
    `test/upgrades/${version}: its program, a data folder and a backup, for tests of later versions`,
    'dist: npm run build',
    `commit "release: ${version}", tag v${version}`,
  ]
  if (values['dry-run']) {
    process.stdout.write(`${steps.map((step) => `would do: ${step}`).join('\n')}\n`)
    return
  }
  const commit = git('rev-parse', 'HEAD')
  try {
    await writeFile(join(root, 'CHANGELOG.md'), changelog)
    for (const name of ['package.json', 'package-lock.json'])
      await writeFile(join(root, name), versioned(await readFile(join(root, name), 'utf8'), version))
    await keepRelease(join(root, 'test/upgrades'), { version, commit })
    await run('npm', ['run', 'build'], { cwd: root })
  } catch (fault) {
    git('checkout', '--', ...FILES)
    git('clean', '-fdq', 'test/upgrades')
    throw fault
  }
  git('add', ...FILES)
  git('commit', '-q', '-m', `release: ${version}`)
  git('tag', '-a', `v${version}`, '-m', `msvc ${version}`)
  process.stdout.write(`${steps.join('\n')}\nnow: git push --follow-tags\n`)
}

try {
  await release()
} catch (fault) {
  process.stderr.write(`${fault instanceof Refusal ? `no release: ${fault.message}` : fault}\n`)
  process.exitCode = 1
}
