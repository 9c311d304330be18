import { AppError } from '../errors.ts'
import type { RunningHost } from '../host.ts'
import type { Job } from './job.ts'
import { reasonOf } from './reason.ts'
import type { LaunchRole } from './role-unit.ts'
import { takeStep } from './take-step.ts'
import type { Started } from './unit.ts'

/**
 * Runs every replica inside this process: for small machines, tests and debuggers. A role that breaks the process takes all with it.
 * @param pid this process's id, for the table of running roles
 */
export function inProcess(run: (job: Job) => Promise<RunningHost>, pid: number): LaunchRole {
  return () => {
    const ended = Promise.withResolvers<string>()
    let host: Promise<RunningHost> | undefined
    const end = (how: string) => {
      const stopped = host?.then((running) => running.stop())
      if (stopped)
        stopped.then(
          () => ended.resolve(how),
          (fault) => ended.resolve(reasonOf(fault)),
        )
      else ended.resolve(how)
    }
    return {
      pid,
      async start(job): Promise<Started> {
        host = run(job)
        const { service, instance, url, advertised, broken } = await Promise.race([host, ended.promise.then(refuse)])
        void broken.then((fault) => end(reasonOf(fault)))
        return { service, instance, url, advertised }
      },
      // it takes turns with whoever asks
      probe: async () => {},
      async take(step) {
        if (!host) refuse('not started')
        await takeStep(await host, step).catch((cause: unknown) => {
          throw new AppError('CONFLICT', reasonOf(cause), { cause })
        })
      },
      stop: () => end('stopped'),
      kill: () => ended.resolve('left behind'),
      exited: ended.promise,
    }
  }
}

function refuse(how: string): never {
  throw new AppError('UNAVAILABLE', how)
}
