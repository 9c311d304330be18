import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { missing, PACKAGES, type Program } from './programs.ts'

/**
 * Before the tests: installs the servers that some of them start, where that can be done (Debian, root). Elsewhere it says what to install, and after
 * the tests which were left out. In CI a server that is missing fails the run.
 */
export default function install({ name }: TestProject): (() => void) | undefined {
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) fetchPackages(missing(name))
  const lacking = missing(name)
  if (lacking.length === 0) return undefined
  const packages = lacking.map((program) => PACKAGES[program]).join(' ')
  const what = `${lacking.join(', ')} not found: apt-get install ${packages}`
  if (process.env.CI) throw new Error(`${what} (in CI no test may be left out)`)
  process.stderr.write(`${what}, or their tests are left out\n`)
  return () =>
    process.stderr.write(`left out: all tests that need ${lacking.join(', ')}; apt-get install ${packages}\n`)
}

function fetchPackages(programs: readonly Program[]): void {
  if (programs.length === 0) return
  const packages = programs.map((program) => PACKAGES[program])
  process.stderr.write(`installing ${packages.join(', ')} for the tests\n`)
  // the packages' own services are of no use here: the tests start servers of their own
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  try {
    execFileSync('apt-get', ['update'], { env, stdio: 'ignore' })
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { env, stdio: 'ignore' })
  } catch (fault) {
    process.stderr.write(`they could not be installed: ${fault}\n`)
  }
}
