import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { statFields } from '../../kit/supervisor/process-stat.ts'

/** What a process takes of the machine. */
export interface ProcessFigures {
  /** Share of one processor, 1 for all of it. */
  readonly cpu: number
  /** Bytes in memory (resident). */
  readonly memory: number
}

/** For how long a process is watched to see what it takes of the processor, milliseconds. */
const SAMPLE_MS = 250
/** Clock ticks a second in /proc (USER_HZ), on every Linux that Node runs on. */
const TICKS = 100

/** What processes take, by their ids. Where that can't be seen, such as on Windows or for one that has ended, there is none. */
export async function processFigures(
  pids: readonly number[],
  signal: AbortSignal,
  platform: NodeJS.Platform = process.platform,
): Promise<ReadonlyMap<number, ProcessFigures>> {
  if (pids.length === 0 || platform === 'win32') return new Map()
  return platform === 'linux' ? fromProc(pids, signal) : fromPs(pids, signal)
}

async function fromProc(pids: readonly number[], signal: AbortSignal): Promise<ReadonlyMap<number, ProcessFigures>> {
  const groups = await groupsOf(pids)
  const look = async () => ({ at: performance.now(), seconds: await sums(groups, processorSeconds) })
  const before = await look()
  await sleep(SAMPLE_MS, undefined, { signal }).catch(() => {})
  const [after, memory] = await Promise.all([look(), sums(groups, residentBytes)])
  const passed = (after.at - before.at) / 1_000
  const figures = new Map<number, ProcessFigures>()
  for (const [index, pid] of pids.entries()) {
    const [first, last, bytes] = [before.seconds[index], after.seconds[index], memory[index]]
    if (first === undefined || last === undefined || bytes === undefined) continue
    figures.set(pid, { cpu: Math.max(0, last - first) / passed, memory: bytes })
  }
  return figures
}

/** The processes of each unit: one that leads a process group is a command with all that it has started, any other one is by itself. */
async function groupsOf(pids: readonly number[]): Promise<readonly (readonly number[])[]> {
  const names = await readdir('/proc').catch(() => [])
  const all = names.map(Number).filter((pid) => pid > 0)
  const leaders = await Promise.all(all.map(async (pid) => Number((await statFields(pid))?.[2])))
  const members = Map.groupBy(all.entries(), ([index]) => leaders[index] ?? 0)
  return pids.map((pid) => members.get(pid)?.map(([, member]) => member) ?? [pid])
}

/** What the processes of each group have together; undefined where none of them runs any more. */
async function sums(
  groups: readonly (readonly number[])[],
  figure: (pid: number) => Promise<number | undefined>,
): Promise<readonly (number | undefined)[]> {
  return Promise.all(
    groups.map(async (group) => {
      const found = (await Promise.all(group.map(figure))).filter((one) => one !== undefined)
      return found.length === 0 ? undefined : found.reduce((sum, one) => sum + one, 0)
    }),
  )
}

/** Processor time that a process has taken; undefined for one that has ended. */
async function processorSeconds(pid: number): Promise<number | undefined> {
  const fields = await statFields(pid)
  return fields && (Number(fields[11]) + Number(fields[12])) / TICKS
}

async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024
}

/** POSIX ps: its %cpu is the share since the process began, or a decaying one. */
async function fromPs(pids: readonly number[], signal: AbortSignal): Promise<ReadonlyMap<number, ProcessFigures>> {
  const args = ['-o', 'pid=,rss=,pcpu=', '-p', pids.join(',')]
  const text = await new Promise<string>((resolve) => {
    execFile('ps', args, { signal, timeout: 2_000 }, (_fault, stdout) => resolve(stdout))
  })
  const figures = new Map<number, ProcessFigures>()
  for (const line of text.split('\n')) {
    const [pid, kilobytes, percent] = line.trim().split(/\s+/).map(Number)
    if (pid === undefined || kilobytes === undefined || percent === undefined || !pids.includes(pid)) continue
    figures.set(pid, { cpu: percent / 100, memory: kilobytes * 1_024 })
  }
  return figures
}
