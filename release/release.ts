// Makes a release: npm run release -- 0.2.0 [--dry-run] [--no-build]
import { execFile, execFileSync } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { TARGET_NAMES } from '../build/targets.ts'
import { isNewer } from '../src/kit/version-order.ts'
import { keepRelease } from './keepsakes.ts'
import { datedChangelog, Refusal, versioned, withPackage } from './version-texts.ts'

const run = promisify(execFile)
/** Texts that name the package by its version. */
const PACKAGE_TEXTS = [
  'docs/kit.md',
  'examples/shop/stock/package.json',
  'examples/shop/stock/package-lock.json',
] as const
/** What a release changes. */
const FILES = [
  'CHANGELOG.md',
  'package.json',
  'package-lock.json',
  ...PACKAGE_TEXTS,
  'deploy',
  'test/upgrades',
] as const

/** What is to be released. */
export interface ReleaseOptions {
  /** The repository's folder, nothing changed in it. */
  readonly root: string
  readonly version: string | undefined
  /** Only says what it would do. */
  readonly isDry: boolean
  /** Whether the executable and the archives of all systems are made. */
  readonly builds: boolean
  readonly say: (text: string) => void
}

/**
 * Makes a release: sets the version in all that names it, keeps the program and a filled folder for later tests, makes the artefacts, commits and tags. Rejects with a
 * Refusal, nothing changed, for what can't be released; and with what went wrong, all put back as it was.
 */
export async function release({ root, version, isDry, builds, say }: ReleaseOptions): Promise<void> {
  const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  const npm = (...args: readonly string[]) => run('npm', args, { cwd: root, maxBuffer: 2 ** 26 })
  const edit = async (name: string, change: (text: string) => string) =>
    writeFile(join(root, name), change(await readFile(join(root, name), 'utf8')))

  const { version: present } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  check(version, present, git)
  const date = new Date().toISOString().slice(0, 10)
  const dated = (text: string) => datedChangelog(text, version, date)
  dated(await readFile(join(root, 'CHANGELOG.md'), 'utf8'))
  const steps = [
    `CHANGELOG.md: "Unreleased" becomes "${version} (${date})"`,
    `package.json, package-lock.json, ${PACKAGE_TEXTS.join(', ')}: ${version}`,
    'deploy: npm run deploy-files',
    `test/upgrades/${version}: its program, a data folder and a backup, for tests of later versions`,
    ...(builds ? [`dist: npm run build, and archives for ${TARGET_NAMES.join(', ')} with sums`] : []),
    `commit "release: ${version}", tag v${version}`,
  ]
  if (isDry) return steps.forEach((step) => void say(`would do: ${step}`))
  const commit = git('rev-parse', 'HEAD')
  try {
    await edit('CHANGELOG.md', dated)
    for (const name of ['package.json', 'package-lock.json']) await edit(name, (text) => versioned(text, version))
    for (const name of PACKAGE_TEXTS) await edit(name, (text) => withPackage(text, version))
    await npm('run', 'deploy-files')
    // passwords by chance, which nobody wants
    for (const kind of await readdir(join(root, 'deploy')))
      await rm(join(root, 'deploy', kind, 'secrets'), { recursive: true, force: true })
    await keepRelease(join(root, 'test/upgrades'), { version, commit })
    if (builds) {
      await npm('run', 'build')
      await npm('run', 'build', '--', '--target', TARGET_NAMES.join())
    }
    git('add', '--', ...FILES)
    git('commit', '-q', '-m', `release: ${version}`)
  } catch (fault) {
    git('reset', '-q', '--', ...FILES)
    git('checkout', '--', ...FILES)
    git('clean', '-fdq', 'test/upgrades', 'deploy')
    throw fault
  }
  git('tag', '-a', `v${version}`, '-m', `msvc ${version}`)
  say(`${steps.join('\n')}\nnow: git push --follow-tags${builds ? ', and hand out the archives of dist' : ''}`)
}

function check(
  version: string | undefined,
  present: string,
  git: (...args: readonly string[]) => string,
): asserts version is string {
  if (version === undefined || !/^\d+\.\d+\.\d+$/.test(version))
    throw new Refusal('which version? npm run release -- 0.2.0 [--dry-run] [--no-build]')
  if (isNewer(present, version)) throw new Refusal(`${version} is older than ${present}, which package.json has`)
  if (git('tag', '--list', `v${version}`) !== '') throw new Refusal(`there is a tag v${version} already`)
  const changed = git('status', '--porcelain')
  if (changed !== '') throw new Refusal(`commit or remove first what is changed here:\n${changed}`)
}

async function main(): Promise<void> {
  const flag = { type: 'boolean' } as const
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'dry-run': flag, 'no-build': flag },
  })
  await release({
    root: process.cwd(),
    version: positionals[0],
    isDry: values['dry-run'] ?? false,
    builds: !values['no-build'],
    say: (text) => void process.stdout.write(`${text}\n`),
  })
}

if (import.meta.main)
  await main().catch((fault: unknown) => {
    process.stderr.write(`${fault instanceof Refusal ? `no release: ${fault.message}` : fault}\n`)
    process.exitCode = 1
  })
