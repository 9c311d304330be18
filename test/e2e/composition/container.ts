import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Engine, hold } from './engine.ts'

const run = promisify(execFile)
/** Lines of its output that are kept. */
const KEPT = 400

/** How a container is played. */
export interface ContainerSpec {
  readonly name: string
  /** Who it is in its networks, from 2 on. */
  readonly place: number
  /** In the order of their interfaces. */
  readonly networks: readonly string[]
  /** Lines of /etc/hosts. */
  readonly hosts: readonly string[]
  /** Its whole environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly words: readonly string[]
  readonly uid: number
  /** Files of the machine by where they are in it. */
  readonly files: Readonly<Record<string, string>>
  /** Folders that it can write and keeps, by where they are in it. */
  readonly volumes: Readonly<Record<string, string>>
  readonly tmpfs: readonly string[]
  /** The script that stands for the program in a container of the platform's image. */
  readonly program: string
  /** A folder of the test's own, for what is mounted. */
  readonly folder: string
}

/** A container that runs. */
export interface Container {
  readonly name: string
  readonly place: number
  /** The last lines that it has written. */
  readonly lines: readonly string[]
  readonly ended: Promise<unknown>
  /** As `docker exec` does. Rejects with what it has written where its exit code isn't 0. */
  exec(words: readonly string[]): Promise<string>
  /** kill -9. */
  kill(): Promise<void>
  /** Ends it in order; resolves with its exit code. */
  stop(): Promise<number | null>
}

/**
 * What an engine does: a root that can't be written but for volumes, files at their places, another user without a right, process 1. The root is this machine's programs:
 * what an image would have.
 */
const SCRIPT = `
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$ROOT"
cd "$ROOT"
mkdir -p usr/local/bin etc/msvc proc dev run/secrets tmp var "./$(dirname "$PROGRAM")" "./$(dirname "$NODE")"
for folder in /usr/*; do
  [ "$folder" = /usr/local ] || [ ! -d "$folder" ] || { mkdir -p ".$folder"; mount --rbind "$folder" ".$folder"; }
done
ln -s /run var/run
for link in bin sbin lib lib64; do [ ! -L "/$link" ] || cp -a "/$link" .; done
mount --bind "$(dirname "$PROGRAM")" "./$(dirname "$PROGRAM")"
touch "./$NODE"; mount --bind "$NODE" "./$NODE"
printf '#!/bin/sh\\nexec %s %s "$@"\\n' "$NODE" "$PROGRAM" > usr/local/bin/msvc
chmod 755 usr/local/bin/msvc
cp "$ETC"/* etc/
mount --rbind /dev dev
mount -t proc proc proc
while IFS='|' read -r kind from to; do
  case $kind in
    file) mkdir -p "$(dirname "./$to")"; touch "./$to"; mount --bind "$from" "./$to"; mount -o remount,ro,bind "./$to";;
    volume) mkdir -p "./$to"; mount --bind "$from" "./$to";;
    tmpfs) mkdir -p "./$to"; mount -t tmpfs -o mode=1777 tmpfs "./$to";;
  esac
done < "$MOUNTS"
mount -o remount,ro "$ROOT"
echo ready
# until it has its networks
read -r _
exec </dev/null
exec env -i "$(command -v chroot)" "$ROOT" /usr/bin/env -i $(cat "$ENVIRONMENT") /usr/bin/setpriv --reuid "$USER_ID" --regid "$USER_ID" \\
  --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"`

/** Starts a container; resolves once its program is begun. */
export async function startContainer(engine: Engine, spec: ContainerSpec): Promise<Container> {
  const { name, folder, environment, uid, words } = spec
  const at = (file: string) => join(folder, file)
  for (const inner of ['root', 'etc']) mkdirSync(at(inner), { recursive: true })
  for (const volume of Object.values(spec.volumes)) {
    mkdirSync(volume, { recursive: true, mode: 0o700 })
    chownSync(volume, uid, uid)
  }
  writeEtc(at('etc'), spec.hosts)
  writeFileSync(
    at('mounts'),
    [
      ...Object.entries(spec.files).map(([to, from]) => `file|${from}|${to}\n`),
      ...Object.entries(spec.volumes).map(([to, from]) => `volume|${from}|${to}\n`),
      ...spec.tmpfs.map((to) => `tmpfs||${to}\n`),
    ].join(''),
  )
  const variables = Object.entries(environment).map(([key, value]) => `${key}=${value}`)
  writeFileSync(at('environment'), variables.join('\n'))
  const env = {
    ...{ ROOT: at('root'), ETC: at('etc'), MOUNTS: at('mounts'), ENVIRONMENT: at('environment') },
    ...{ PROGRAM: spec.program, NODE: process.execPath, USER_ID: String(uid) },
  }
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child']
  const { child, pid } = await hold(namespaces, SCRIPT, env, words)
  const lines = linesOf(child)
  const ended = once(child, 'exit')
  await engine.connect(pid, spec.networks, spec.place)
  child.stdin?.end('go\n')
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal)
    await ended
    return child.exitCode
  }
  return {
    name,
    place: spec.place,
    lines,
    ended,
    async exec(command) {
      const into = ['--target', String(pid), '--mount', '--net', '--pid', '--root']
      const as = ['--setuid', String(uid), '--setgid', String(uid), '/usr/bin/env', '-C', '/', '-i', ...variables]
      const { stdout } = await run('nsenter', [...into, ...as, ...command], { timeout: 60_000 })
      return stdout.trim()
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}

/** Who the images' users are, and where names are looked up: in the file alone, with all the addresses that a name has there. */
function writeEtc(folder: string, hosts: readonly string[]): void {
  const files = {
    hosts: ['127.0.0.1 localhost', '::1 localhost', ...hosts],
    'host.conf': ['multi on'],
    'nsswitch.conf': ['passwd: files', 'group: files', 'hosts: files'],
    passwd: ['root:x:0:0::/:/bin/sh', 'store:x:999:999::/:/bin/sh'],
    group: ['root:x:0:', 'store:x:999:'],
  }
  for (const [name, lines] of Object.entries(files)) writeFileSync(join(folder, name), `${lines.join('\n')}\n`)
}

function linesOf(child: ChildProcess): readonly string[] {
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface(stream).on('line', (line) => {
      lines.push(line)
      if (lines.length > KEPT) lines.shift()
    })
  }
  return lines
}
