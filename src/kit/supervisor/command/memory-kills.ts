import { readFileSync } from 'node:fs'

/** Counts of this cgroup (v2) and of the whole machine; where neither is, nothing is known. */
const COUNTERS = ['/sys/fs/cgroup/memory.events', '/proc/vmstat']

/** How many processes the kernel has killed so far for want of memory; 0 where that can't be seen. */
export function memoryKills(): number {
  return COUNTERS.reduce((sum, path) => sum + countIn(path), 0)
}

function countIn(path: string): number {
  try {
    const [, count = '0'] = /^oom_kill (\d+)$/m.exec(readFileSync(path, 'utf8')) ?? []
    return Number(count)
  } catch {
    return 0
  }
}
