import { type ChildProcess, spawn } from 'node:child_process'
import type { HeldPort } from '../../drivers/system/held-port.ts'
import { AppError } from '../errors.ts'
import { lineSplitter } from '../output/lines.ts'
import { createGuard } from './guard.ts'
import type { Job } from './job.ts'
import { type Order, Report, type Step } from './protocol.ts'
import type { LaunchedRole, LaunchRole } from './role-unit.ts'
import type { Started } from './unit.ts'

export interface ChildProcessOptions {
  /** The program that runs one role, and its arguments up to the role's name, such as `['dist/msvc', 'serve']`. */
  readonly command: readonly [program: string, ...args: string[]]
  /** Arguments after the role's name, which make it wait for `start`. */
  readonly suffix: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A file of this process that is to be a unit's stdin. Default: none is. */
  readonly stdinOf?: (unit: string) => number | undefined
  /** Takes each line that a unit writes to stdout or stderr. */
  readonly onLine: (unit: string, line: string) => void
  /** Default: this one. */
  readonly platform?: NodeJS.Platform
}

/** Launches every replica as an operating-system process of its own. It ends when the channel to this process breaks, and is ended when it hangs then. */
export function childProcesses({
  command,
  suffix,
  environment,
  stdinOf,
  onLine,
  platform = process.platform,
}: ChildProcessOptions): LaunchRole {
  const [program, ...args] = command
  const guard = createGuard()
  return (role, unit) => {
    const child = spawn(program, [...args, role, ...suffix], {
      stdio: [stdinOf?.(unit) ?? 'ignore', 'pipe', 'pipe', 'ipc'],
      env: environment,
      windowsHide: true,
    })
    for (const stream of [child.stdout, child.stderr]) {
      const lines = lineSplitter((line) => onLine(unit, line))
      stream?.on('data', (chunk: Buffer) => lines.push(chunk)).once('end', () => lines.end())
    }
    const { pid } = child
    if (pid !== undefined) {
      guard.watch(pid)
      child.once('exit', () => guard.release(pid))
    }
    return launchedRole(child, platform)
  }
}

function launchedRole(child: ChildProcess, platform: NodeJS.Platform): LaunchedRole {
  const exited = new Promise<string>((resolve) => {
    child.on('error', (fault) => {
      if (child.pid === undefined) resolve(`could not start: ${fault.message}`)
    })
    // 'close' comes after the last line of output, 'exit' may come before
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  const booted = Promise.withResolvers<void>()
  const started = Promise.withResolvers<Started>()
  let asked: PromiseWithResolvers<void> | undefined
  const steps = new Map<number, PromiseWithResolvers<void>>()
  let number = 0
  // A replica that ends before anyone asked it to start is told of by `exited`.
  started.promise.catch(() => {})
  child.on('message', (message) => {
    const report = Report.safeParse(message).data
    if (report?.type === 'alive') {
      asked?.resolve()
      asked = undefined
    } else if (report?.type === 'booted') booted.resolve()
    else if (report?.type === 'ready') {
      const { type: _, ...itself } = report
      started.resolve(itself)
    } else if (report?.type === 'refused') started.reject(new AppError(report.code, report.message))
    else if (report?.type === 'stepped') {
      const step = steps.get(report.number)
      steps.delete(report.number)
      if (report.fault === undefined) step?.resolve()
      else step?.reject(new AppError('CONFLICT', report.fault))
    }
  })
  void exited.then((how) => {
    booted.resolve()
    started.reject(new AppError('UNAVAILABLE', `ended with ${how}`))
  })
  // a child that is gone by now is told of by `exited`
  const send = (order: Order, held?: HeldPort) => void (child.connected && child.send(order, held, () => {}))
  return {
    pid: child.pid ?? 0,
    async start(job: Job) {
      await booted.promise
      send({ type: 'start', job })
      return started.promise
    },
    probe() {
      if (!asked) {
        asked = Promise.withResolvers()
        send({ type: 'probe' })
      }
      return asked.promise
    },
    async take(step: Step, held?: HeldPort) {
      const taken = Promise.withResolvers<void>()
      steps.set(++number, taken)
      send({ type: 'step', number, step }, held)
      await Promise.race([taken.promise, exited.then(refuse)])
    },
    // on Windows a signal would end it at once
    stop: () => (platform === 'win32' ? send({ type: 'stop' }) : void child.kill('SIGTERM')),
    kill: () => void child.kill('SIGKILL'),
    exited,
  }
}

function refuse(how: string): never {
  throw new AppError('UNAVAILABLE', `ended with ${how}`)
}
