import { systemClock } from '../drivers/clock.ts'
import { type RunningHost, runRole } from '../kit/host.ts'
import type { Job } from '../kit/supervisor/member.ts'
import { logOutput } from './log-output.ts'
import { findRole } from './roles.ts'
import { VERSION } from './version.ts'

/** Makes the function that runs a role in this process, its log on stderr. */
export async function hostRunner(
  session: Parameters<typeof logOutput>[0],
  format: 'text' | 'json',
): Promise<(job: Job) => Promise<RunningHost>> {
  const sink = await logOutput(session, format)
  return async ({ role, ...rest }) =>
    runRole(await findRole(role), { ...rest, version: VERSION, clock: systemClock, sinks: [sink] })
}
