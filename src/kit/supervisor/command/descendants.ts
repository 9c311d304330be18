import { readdir, readFile } from 'node:fs/promises'
import type { Guard } from '../guard.ts'
import { statFields } from '../process-stat.ts'

/** How often it is looked for descendants, milliseconds: each look costs a read for each thread of the tree. */
const LOOK_MS = 5_000

/** A process as no other one of its id is. */
interface Seen {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** When it began, in ticks since the machine did. */
  readonly start: string
}

/** The descendants of a process that have left its group. */
export interface Descendants {
  /** Those that still run, by their ids, after one more look. */
  still(): Promise<readonly number[]>
  /** Looks no more. */
  end(): void
}

/**
 * Remembers what a process group's leader has started and what has left the group, by who is whose parent: also what has emptied its environment, by which others are found
 * (strays.ts). Only on Linux. What forks twice, and whose parent is gone before a look, is nobody's descendant any more: it gets away.
 * @param guard told of each, to end it with this process
 */
export function rememberDescendants(leader: number, guard: Guard): Descendants {
  const seen = new Map<number, Seen>()
  if (process.platform !== 'linux') return { still: async () => [], end: () => {} }
  const timer = setInterval(() => void look(), LOOK_MS).unref()
  let looking: Promise<void> | undefined

  async function lookOnce(): Promise<void> {
    for (const { pid, start } of [...seen.values()]) if ((await seenAt(pid))?.start !== start) forget(pid)
    const reached = new Set([leader, ...seen.keys()])
    for (const pid of reached) {
      for (const child of await childrenOf(pid)) {
        const found = await seenAt(child)
        // else the id is somebody else's by now
        if (found?.parent !== pid) continue
        reached.add(child)
        if (found.group === leader || seen.has(child)) continue
        seen.set(child, found)
        guard.watch(child)
      }
    }
  }

  function forget(pid: number): void {
    seen.delete(pid)
    guard.release(pid)
  }

  function look(): Promise<void> {
    looking ??= lookOnce().finally(() => {
      looking = undefined
    })
    return looking
  }

  return {
    async still() {
      await look()
      return [...seen.keys()]
    },
    end() {
      clearInterval(timer)
      for (const pid of [...seen.keys()]) forget(pid)
    },
  }
}

async function seenAt(pid: number): Promise<Seen | undefined> {
  const fields = await statFields(pid)
  // proc_pid_stat(5): state, ppid and pgrp are the third to fifth field, starttime is the 22nd
  return fields && { pid, parent: Number(fields[1]), group: Number(fields[2]), start: fields[19] ?? '' }
}

/** Each thread has its own (proc_tid_children(5)). */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'latin1').catch(() => '')),
  )
  return lists.flatMap((list) => list.split(' ').map(Number)).filter((child) => child > 0)
}
