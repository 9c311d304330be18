// Finds how the Node of a target can be run on the system that builds.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Engine } from './compiled-program.ts'
import { NODE_VERSION, type TargetName } from './targets.ts'

/** Programs that run another processor's on Linux, each with the words before what it runs. */
const EMULATORS: Readonly<Partial<Record<TargetName, readonly string[]>>> = {
  'linux-arm64': ['qemu-aarch64-static', 'qemu-aarch64'],
  'linux-x64': ['qemu-x86_64-static', 'qemu-x86_64'],
}

/** Emulated, a start takes ten times as long. */
const PATIENCE_MS = 300_000
/** Until it says its version. */
const PROBE_MS = 30_000

/**
 * An engine for a target; undefined where its Node can't be run, since it is another system's and nothing emulates it. An emulator finds libraries of
 * the other processor where QEMU_LD_PREFIX says.
 * @param node path of the target's Node
 */
export async function engineOf(target: TargetName, node: string): Promise<Engine | undefined> {
  const emulated = (EMULATORS[target] ?? []).map((emulator) => [emulator, node] as const)
  for (const [program, ...args] of [[node] as const, ...emulated]) {
    const said = await promisify(execFile)(program, [...args, '--version'], { timeout: PROBE_MS }).catch(
      () => undefined,
    )
    if (said?.stdout.trim() === `v${NODE_VERSION}`) return { command: [program, ...args], patience: PATIENCE_MS }
  }
  return undefined
}
