import { readdirSync, readFileSync } from 'node:fs'

/** State and group of a process, behind its name, which may hold anything (proc_pid_stat(5)). */
const STAT = /^.*\) (\S) \d+ (\d+) /s

/**
 * Whether a process of a group lives. One that has ended and that nobody fetches doesn't, as those which a service leaves to process 1 of a container,
 * where that is this program. True where it can't be known.
 */
export function hasLiving(group: number): boolean {
  let names: readonly string[]
  try {
    names = readdirSync('/proc')
  } catch {
    return true
  }
  return names.filter((name) => /^\d+$/.test(name)).some((pid) => isLivingOf(group, pid))
}

function isLivingOf(group: number, pid: string): boolean {
  try {
    const [, state, own] = STAT.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return Number(own) === group && state !== 'Z' && state !== 'X'
  } catch {
    // it has just ended
    return false
  }
}
