import { AppError } from '../../kit/errors.ts'
import { runSupervised } from '../../kit/supervisor/supervised.ts'
import { findRole } from '../session/roles.ts'
import type { Io } from '../terminal/io.ts'
import { hostRunner } from './host-runner.ts'
import { logOutput } from './log-output.ts'

/**
 * The process of one unit under `msvc up`, which says what to run and when, and takes the log as JSON lines. Throws AppError `USAGE` when
 * nobody started it.
 */
export async function runUnit(role: string, io: Io): Promise<void> {
  if (!io.parent) throw new AppError('USAGE', '--supervised is for processes that msvc up starts')
  io.leaveInterruptsToParent()
  await findRole(role)
  const sink = await logOutput({ io, options: {} }, 'json')
  await runSupervised(
    io.parent,
    hostRunner(io, () => sink),
    io.signal,
  )
}
