import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Makes sure that a Debian program is there, installing its package when it isn't. */
export function ensureProgram(program: string, debianPackage = program): string {
  const found = find(program)
  if (found) return found
  console.error(`installing ${debianPackage} …`)
  execFileSync('apt-get', ['install', '-y', '-q', debianPackage], { stdio: ['ignore', 'ignore', 'inherit'] })
  const installed = find(program)
  if (!installed) throw new Error(`${debianPackage} was installed but ${program} is not on the path`)
  return installed
}

function find(program: string): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${program} || ls /usr/sbin/${program} 2>/dev/null`], {
    encoding: 'utf8',
  })
  return stdout.trim().split('\n')[0] || undefined
}

/** Installs an npm package into a folder of the bench's own, and gives its path. The project doesn't depend on its peers. */
export function ensurePackage(folder: string, name: string, version: string): string {
  const path = join(folder, 'node_modules', name)
  if (!existsSync(path)) {
    console.error(`installing ${name}@${version} …`)
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  return path
}
