import { systemClock } from '../drivers/clock.ts'
import { type RunningHost, runRole } from '../kit/host.ts'
import type { Job } from '../kit/supervisor/job.ts'
import type { Io } from './io.ts'
import { logOutput } from './log-output.ts'
import { findRole } from './roles.ts'
import { VERSION } from './version.ts'

/** Makes the function that runs a role in this process, its log on stderr. */
export async function hostRunner(
  session: Parameters<typeof logOutput>[0] & { readonly io: Pick<Io, 'settled'> },
  format: 'text' | 'json',
): Promise<(job: Job) => Promise<RunningHost>> {
  const sink = await logOutput(session, format)
  return async ({ role, ...rest }) => {
    const host = await runRole(await findRole(role), { ...rest, version: VERSION, clock: systemClock, sinks: [sink] })
    session.io.settled()
    return host
  }
}
