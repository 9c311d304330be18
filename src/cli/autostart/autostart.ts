import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { AutostartPlan } from './autostart-plan.ts'
import { systemd } from './systemd-autostart.ts'
import { taskScheduler } from './task-scheduler.ts'

/** What starts platforms with the machine. */
export interface Autostart {
  /**
   * Has one started now, and with the machine from now on; gives where that is written, and what it says of itself. Throws AppError `CONFLICT` when there is something of the name, `USAGE`
   * without the rights, `START_FAILED`, nothing left behind, when it doesn't start.
   */
  install(plan: AutostartPlan): Promise<{ readonly where: string; readonly says?: string }>
  /** Ends it, and has it started no more. Throws AppError `NOT_FOUND` when there is none. */
  uninstall(name: string): Promise<void>
  /** How it is, in the system's words. Throws AppError `NOT_FOUND`. */
  status(name: string): Promise<string>
}

/** Runs a program of the system's; gives what it says. Throws AppError `START_FAILED` with what it says of why it can't. */
export type Run = (program: string, ...args: readonly string[]) => Promise<string>

/**
 * What starts platforms on this system. Throws AppError `USAGE` where there is nothing that is known.
 * @param self this program, by which a platform is told to end
 * @param hasSystemd whether systemd runs here (sd_booted(3))
 */
export function autostart(
  self: readonly string[],
  platform: NodeJS.Platform = process.platform,
  hasSystemd = existsSync('/run/systemd/system'),
): Autostart {
  if (platform === 'win32') return taskScheduler(runTool, self)
  if (hasSystemd) return systemd(runTool)
  throw new AppError(
    'USAGE',
    'nothing here starts services with the machine: that takes systemd, or Windows; msvc up --detach runs the platform in the background, until the machine stops',
  )
}

const runTool: Run = async (program, ...args) => {
  try {
    return (await promisify(execFile)(program, [...args], { windowsHide: true })).stdout.trim()
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new AppError('START_FAILED', `${program} ${args.join(' ')}: ${said || messageOf(cause)}`, { cause })
  }
}
