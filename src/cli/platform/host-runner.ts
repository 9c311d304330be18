import { systemClock } from '../../drivers/clock.ts'
import { type RunningHost, runRole } from '../../kit/host.ts'
import type { Job } from '../../kit/supervisor/job.ts'
import type { LogSink } from '../../kit/telemetry/log.ts'
import { findRole } from '../session/roles.ts'
import { VERSION } from '../session/version.ts'
import type { Io } from '../terminal/io.ts'

/**
 * Makes the function that runs a role in this process.
 * @param sinkOf where a role's log goes, by its CLI word
 * @param handed descriptors of sockets that listen already, for its port. Default: those that the job names
 */
export function hostRunner(
  { settled }: Pick<Io, 'settled'>,
  sinkOf: (role: string) => LogSink,
  handed?: readonly number[],
): (job: Job) => Promise<RunningHost> {
  return async ({ role, ...rest }) => {
    const sinks = [sinkOf(role)]
    const host = await runRole(await findRole(role), {
      ...rest,
      version: VERSION,
      clock: systemClock,
      sinks,
      ...(handed && { handed }),
    })
    settled()
    return host
  }
}
