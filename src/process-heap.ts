import { getHeapStatistics } from 'node:v8'
import { systemLimits } from './drivers/system/limits.ts'
import { readServiceManager } from './drivers/system/service-manager.ts'
import { fittingHeap } from './kit/system-findings.ts'

/** What runs for long, and what tells of its memory. */
const WORDS = ['up', 'serve', 'doctor']
/** The variable by which Node takes flags. */
const OPTIONS = 'NODE_OPTIONS'
/** Tells the program that this process becomes what stood in that variable before. */
const BEFORE = 'MSVC_NODE_OPTIONS'
const SAID = /max[-_](?:old[-_]space|heap)[-_]size/

/**
 * Has this process begin anew with a heap that fits into the memory it may have, where the engine would let it grow beyond that and be killed: the engine
 * takes its bound at its start alone. It stays as it is where somebody said how large a heap is to be, where sockets or a channel were handed to it, which
 * would be lost, and where the system can't.
 * @param self how to start this program again
 * @returns what processes of this program get in their environment besides; `process.env` is without it
 */
export function fitHeap(self: readonly [program: string, ...args: string[]]): Readonly<Record<string, string>> {
  const { env, argv, execArgv } = process
  const before = env[BEFORE]
  const options = env[OPTIONS] ?? ''
  if (before !== undefined) {
    delete env[BEFORE]
    env[OPTIONS] = before
    if (before === '') delete env[OPTIONS]
    return { [OPTIONS]: options }
  }
  const isLasting = argv.slice(2).some((word) => WORDS.includes(word))
  if (!process.execve || !isLasting || SAID.test(`${options} ${execArgv.join(' ')}`) || holdsMore()) return {}
  const megabytes = fittingHeap(getHeapStatistics().heap_size_limit, systemLimits().memoryBytes)
  if (megabytes === undefined) return {}
  const more = { [OPTIONS]: `${options} --max-old-space-size=${megabytes}`.trimStart(), [BEFORE]: options }
  const [program, ...args] = self
  process.execve(program, [program, ...args, ...argv.slice(2)], { ...env, ...more })
  return {}
}

/** Whether it has more open than stdin, stdout and stderr, which alone the next program keeps. */
function holdsMore(): boolean {
  return process.channel !== undefined || (readServiceManager(process.env, process.pid)?.sockets.length ?? 0) > 0
}
