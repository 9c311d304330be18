import { execFile } from 'node:child_process'

/** Sends a signal to a process, or by a negative number to a group; false when there is none. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** How Windows ends processes: runs `taskkill` with these arguments, and calls back with whether it did what it was asked. */
export type TaskKill = (args: readonly string[], done: (isDone: boolean) => void) => void

const taskkill: TaskKill = (args, done) => {
  execFile('taskkill', [...args], { windowsHide: true }, (fault) => done(fault === null))
}

/**
 * Sends a signal to a command and all that it has started; false when nothing of it is left. 0 only asks.
 * Windows has neither groups nor signals: a tree is asked to close its windows, and one that has none, as servers haven't, is ended at once
 * (https://learn.microsoft.com/windows-server/administration/windows-commands/taskkill).
 * @param leader the command, which was started as the leader of a group
 */
export function signalTree(
  leader: number,
  signal: NodeJS.Signals | 0,
  platform: NodeJS.Platform = process.platform,
  end: TaskKill = taskkill,
): boolean {
  if (platform !== 'win32') return signalProcess(-leader, signal)
  if (!signalProcess(leader, 0)) return false
  const tree = ['/PID', String(leader), '/T']
  const atOnce = () => end([...tree, '/F'], () => {})
  if (signal === 'SIGKILL') atOnce()
  else if (signal !== 0) end(tree, (isDone) => isDone || atOnce())
  return true
}
