import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerProcess } from '../servers/server.ts'
import type { Platform, UnitName } from './platform.ts'
import type { Wire } from './wire.ts'

/** What is done to a platform. */
export interface Fault {
  readonly kind: 'kill -9' | 'SIGSTOP' | 'cut wire' | 'store refuses' | 'restart' | 'hang'
  /** Whom, or whose wire. */
  readonly target: string
  /** Does it; resolves when the other side is well again, with the milliseconds that a role took to be back where that is its own doing. */
  strike(): Promise<number | undefined>
}

const LOOK_MS = 10
/** A role that is not back by then never will be. */
const GIVE_UP_MS = 60_000

export const kill = (platform: Platform, unit: UnitName): Fault => ({
  kind: 'kill -9',
  target: unit,
  async strike() {
    process.kill((await platform.unit(unit)).pid, 'SIGKILL')
    return ready(platform, unit)
  },
})

export const suspend = (platform: Platform, unit: UnitName, ms: number): Fault => ({
  kind: 'SIGSTOP',
  target: unit,
  async strike() {
    const { pid } = await platform.unit(unit)
    process.kill(pid, 'SIGSTOP')
    await delay(ms)
    process.kill(pid, 'SIGCONT')
    return ready(platform, unit)
  },
})

export const cut = (wire: Wire, target: string, ms: number): Fault => ({
  kind: 'cut wire',
  target,
  async strike() {
    wire.cut()
    await delay(ms)
    wire.mend()
    return undefined
  },
})

/** Every write of a role to a file fails, as on a broken disk. Linux only. */
export const refuse = (platform: Platform, unit: UnitName, ms: number): Fault => ({
  kind: 'store refuses',
  target: unit,
  async strike() {
    const pid = String((await platform.unit(unit)).pid)
    execFileSync('prlimit', ['--pid', pid, '--fsize=0:unlimited'])
    await delay(ms)
    execFileSync('prlimit', ['--pid', pid, '--fsize=unlimited:unlimited'])
    return undefined
  },
})

/** kill -9 of a server that the platform keeps what it has on, and a start of the same. */
export const restart = (server: ServerProcess, target: string): Fault => ({
  kind: 'restart',
  target,
  async strike() {
    await server.kill()
    await server.start()
    return undefined
  },
})

/** A server that takes connections and does not answer, as one does whose disk or machine hangs. */
export const hang = (server: ServerProcess, target: string, ms: number): Fault => ({
  kind: 'hang',
  target,
  async strike() {
    server.freeze()
    await delay(ms)
    server.resume()
    return undefined
  },
})

/** Milliseconds until a unit says that it is ready. */
async function ready(platform: Platform, unit: UnitName): Promise<number> {
  const since = performance.now()
  while (performance.now() - since < GIVE_UP_MS) {
    const signal = AbortSignal.timeout(2_000)
    const { url } = await platform.unit(unit)
    const answer = await fetch(`${url}/readyz`, { signal }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.status === 200) return performance.now() - since
    await delay(LOOK_MS)
  }
  throw new Error(`${unit} is not back after ${GIVE_UP_MS / 1_000} s`)
}
