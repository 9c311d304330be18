import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { createKeptPorts } from '../../src/kit/supervisor/free-port.ts'

/** How a server is run. */
export interface ServerProgram {
  readonly path: string
  readonly args: readonly string[]
  /** Resolves once it serves, rejects while it does not yet. */
  readonly isReady: () => Promise<void>
  /** The user to run as; default: the tests' own. */
  readonly uid?: number
  readonly gid?: number
  /** What it says when it can't start yet, since what it was before has not quite ended: then it is started again. */
  readonly tooEarly?: RegExp
  /** Asks it to end at once, without waiting for its clients. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
}

/** A server process of a test's own, which can go and come back on the same port with the same data. */
export interface ServerProcess extends AsyncDisposable {
  /** Starts it again, after `kill` or `stop`; resolves once it serves. */
  start(): Promise<void>
  /** kill -9; resolves once it is gone. */
  kill(): Promise<void>
  /** Asks it to end; resolves once it is gone. */
  stop(): Promise<void>
  /** Holds it still (SIGSTOP), until `resume`: it takes connections and does not answer. */
  freeze(): void
  resume(): void
}

const START_MS = 40_000
const LOOK_MS = 20
const STOP_MS = 10_000

/** Starts a server and resolves once it serves. Rejects with what it said when it ends instead. */
export async function startServer(program: ServerProgram): Promise<ServerProcess> {
  let child: ChildProcessByStdio<null, Readable, Readable> | undefined
  let said = ''

  async function start() {
    const until = Date.now() + START_MS
    while (!(await launch(until))) await sleep(LOOK_MS)
  }

  /** Resolves with true once it serves, with false when it was too early. */
  async function launch(until: number): Promise<boolean> {
    said = ''
    const { path, args, uid, gid, tooEarly } = program
    const user = uid === undefined || gid === undefined ? {} : { uid, gid }
    const started = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], ...user })
    child = started
    // a process whose tests fail half way leaves none behind
    const end = () => void started.kill('SIGKILL')
    process.once('exit', end)
    started.once('exit', () => process.off('exit', end))
    const hear = (text: Buffer) => {
      said = (said + text).slice(-4_000)
    }
    started.stdout.on('data', hear)
    started.stderr.on('data', hear)
    started.on('error', (fault) => hear(Buffer.from(String(fault))))
    for (; ; await sleep(LOOK_MS)) {
      if (started.exitCode !== null || started.signalCode !== null) {
        if (tooEarly?.test(said) && Date.now() < until) return false
        throw new Error(`${path} ended at its start: ${said}`)
      }
      try {
        await program.isReady()
        return true
      } catch (fault) {
        if (Date.now() > until) throw new Error(`${path} is not ready after ${START_MS} ms: ${fault}; ${said}`)
      }
    }
  }

  async function end(signal: NodeJS.Signals) {
    const ended = child
    if (!ended || ended.exitCode !== null || ended.signalCode !== null) return
    const exit = once(ended, 'exit')
    ended.kill('SIGCONT')
    ended.kill(signal)
    const timer = setTimeout(() => ended.kill('SIGKILL'), STOP_MS)
    await exit
    clearTimeout(timer)
  }

  const stop = () => end(program.stopSignal ?? 'SIGTERM')
  try {
    await start()
  } catch (fault) {
    await end('SIGKILL')
    throw fault
  }
  return {
    start,
    stop,
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    [Symbol.asyncDispose]: stop,
  }
}

const keptPorts = createKeptPorts(process.pid + threadId)
let asked = 0

/** A TCP port that nobody listens on, and that nobody is given by chance: none of those for outgoing connections. Each time another one. */
export function freePort(): Promise<number> {
  return keptPorts(`${asked++}`, '127.0.0.1')
}
