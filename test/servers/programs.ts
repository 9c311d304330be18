import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What tests start themselves, servers and tools, by the program, and the Debian package that has it. */
export const PACKAGES = {
  postgres: 'postgresql',
  'redis-server': 'redis-server',
  'nats-server': 'nats-server',
  umoci: 'umoci',
  skopeo: 'skopeo',
  ip: 'iproute2',
  wget: 'wget',
  debootstrap: 'debootstrap',
  'qemu-aarch64-static': 'qemu-user-static',
  'systemd-nspawn': 'systemd-container',
  podman: 'podman',
  crun: 'crun',
} as const
/** One of them. */
export type Program = keyof typeof PACKAGES

/** Debian keeps PostgreSQL's programs off the PATH, a folder for each version. */
const POSTGRES_VERSIONS = '/usr/lib/postgresql'

/** Where a program lies; undefined where it is not installed. @param beside a program that comes with it, such as `initdb` */
export function find(program: Program, beside: string = program): string | undefined {
  const { PATH = '' } = process.env
  const folders = [...PATH.split(delimiter), '/usr/sbin', '/usr/local/sbin', ...postgresFolders()]
  return folders.map((folder) => join(folder, beside)).find(isExecutable)
}

/** Those that make other systems, which the tests of these alone want. */
const FOR_SYSTEMS: readonly Program[] = ['debootstrap', 'qemu-aarch64-static', 'systemd-nspawn', 'podman', 'crun']

/** Those that are not installed. @param project the name of a project of tests that wants them */
export function missing(project: string): readonly Program[] {
  const others = (Object.keys(PACKAGES) as Program[]).filter((program) => !FOR_SYSTEMS.includes(program))
  return (project === 'systems' ? FOR_SYSTEMS : others).filter((program) => find(program) === undefined)
}

/** Whether tests that need a program are to run. In CI they always do, and fail where it is missing. */
export function isHere(...programs: readonly Program[]): boolean {
  return Boolean(process.env.CI) || programs.every((program) => find(program) !== undefined)
}

function postgresFolders(): readonly string[] {
  try {
    const versions = readdirSync(POSTGRES_VERSIONS).sort((a, b) => Number(b) - Number(a))
    return versions.map((version) => join(POSTGRES_VERSIONS, version, 'bin'))
  } catch {
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
