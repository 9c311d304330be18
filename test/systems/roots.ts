import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Kept from run to run: each takes a minute to make. */
const CACHE = join(tmpdir(), 'msvc-roots')

/** A minimal system of Debian's. */
export interface Root {
  readonly suite: string
  readonly arch: 'amd64' | 'arm64'
  /** Packages that it has besides. Default: none */
  readonly packages?: readonly string[]
}

const isThere = (program: string) => !spawnSync(program, ['--version']).error

/** Why nothing can be tried in a root here; undefined when it can. */
export function obstacle({ arch }: Root): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'wants root on Linux'
  if (!isThere('debootstrap')) return 'wants debootstrap: apt-get install debootstrap'
  if (arch === 'arm64')
    return isThere('qemu-aarch64-static') ? undefined : 'wants qemu: apt-get install qemu-user-static'
  return process.arch === 'x64' ? undefined : 'wants x64'
}

/** Makes a root, unless an earlier run has; gives its path. One for another processor is unpacked and never run. */
export async function makeRoot({ suite, arch, packages = [] }: Root): Promise<string> {
  const path = join(CACHE, [suite, arch, ...packages].join('-'))
  if (existsSync(path)) return path
  mkdirSync(CACHE, { recursive: true })
  const half = `${path}-${process.pid}`
  const options = [
    ...(arch === 'arm64' ? ['--foreign'] : []),
    ...(packages.length > 0 ? [`--include=${packages.join()}`] : []),
  ]
  try {
    await promisify(execFile)('debootstrap', [...options, '--arch', arch, '--variant=minbase', suite, half])
    renameSync(half, path)
  } finally {
    rmSync(half, { recursive: true, force: true })
  }
  return path
}

/**
 * Writes a script that runs a program of a folder as if the root were all there is: the folder alone of this system can be seen.
 * @param folder below /tmp, which holds the program
 */
export function inRoot(root: string, folder: string, program: string): string {
  const script = join(folder, 'in-root')
  const text = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec unshare --mount sh -c 'mount -t proc proc "${root}/proc" && mount -t tmpfs tmpfs "${root}/tmp" && mkdir -p "${root}${folder}" &&
  mount --bind "${folder}" "${root}${folder}" && exec chroot "${root}" sh -c "cd ${folder} && exec ${program} \\"\\$@\\"" sh "$@"' sh "$@"
`
  writeFileSync(script, text)
  chmodSync(script, 0o755)
  return script
}

/** Writes a script that runs a program for arm64 with the libraries of a root. */
export function emulated(root: string, folder: string, program: string): string {
  const script = join(folder, 'emulated')
  const qemu = execFileSync('sh', ['-c', 'command -v qemu-aarch64-static'], { encoding: 'utf8' }).trim()
  writeFileSync(script, `#!/bin/sh\nexport QEMU_LD_PREFIX='${root}'\nexec ${qemu} ${program} "$@"\n`)
  chmodSync(script, 0o755)
  return script
}
