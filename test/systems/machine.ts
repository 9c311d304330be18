import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { vi } from 'vitest'
import { hold } from '../e2e/composition/engine.ts'
import { type MachineClient, machineClient } from '../e2e/composition/machine-client.ts'
import { OWN_CGROUPS } from './cgroups.ts'

/** A system that systemd has booted, in namespaces of its own: what it writes is gone with it. */
export interface Machine extends AsyncDisposable {
  /** Asks over its loopback. */
  readonly ask: MachineClient['ask']
  /** Runs a script in it as root; rejects with what it said unless it ends with 0. */
  sh(script: string): Promise<string>
}

/** In a namespace of processes that ends with its first: else what it has booted would go on when that is killed. */
const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child']
const BOOT = `${OWN_CGROUPS}
mount -t proc proc /proc
echo ready
exec systemd-nspawn --quiet --directory="$ROOT" --machine="$MACHINE" --volatile=overlay --private-network --register=no --keep-unit \\
  --link-journal=no --console=pipe "$@" --boot </dev/null >/dev/null`

/**
 * Boots a root that has systemd; resolves once all that it starts by itself is started.
 * @param binds files and folders of this machine by where they are to be in it, read only
 */
export async function bootMachine(root: string, binds: Readonly<Record<string, string>>): Promise<Machine> {
  const name = `msvc-${process.pid}`
  const words = Object.entries(binds).map(([to, from]) => `--bind-ro=${from}:${to}`)
  const { child, pid } = await hold(NAMESPACES, BOOT, { ROOT: root, MACHINE: name }, words)
  const ended = once(child, 'exit')
  const first = await vi.waitUntil(() => childNamed('systemd', pid), { timeout: 120_000 })
  const into = ['--target', String(first), '--mount', '--net', '--pid', '--ipc', '--uts', '--cgroup', '--root', '--wd']
  const sh = async (script: string) => {
    const env = { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', NO_COLOR: '1' }
    const { stdout } = await promisify(execFile)('nsenter', [...into, 'bash', '-euo', 'pipefail', '-c', script], {
      env,
    })
    return stdout.trim()
  }
  await vi.waitUntil(async () => (await sh('systemctl is-system-running || true')) === 'running', { timeout: 120_000 })
  const client = machineClient({ machine: first })
  return {
    ask: client.ask,
    sh,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      child.kill('SIGKILL')
      await ended
      rmSync(`/run/systemd/nspawn/propagate/${name}`, { recursive: true, force: true })
    },
  }
}

function childNamed(name: string, parent: number): number | undefined {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').map(Number)
  return children.find((child) => child > 0 && nameOf(child) === name)
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    // a helper, which has ended meanwhile
    return ''
  }
}
