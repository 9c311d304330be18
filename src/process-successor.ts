// What it takes for this process to become another program, in place of the one it runs.

import type { Next, Predecessor } from './cli/terminal/io.ts'
import { isPortHeld } from './drivers/system/held-port.ts'
import { managerVariables, type ServiceManager } from './drivers/system/service-manager.ts'
import { AppError } from './kit/errors.ts'

/** Tells the program that this process becomes that it follows another one: the port in place of its stdin, or `stdin` where that isn't known or there is none. */
const FOLLOWS = 'MSVC_HELD_PORT'
/** Tells it where the program lies that it should have been: what runs is the one before, which may lie nowhere any more. */
const PLACE = 'MSVC_PLACE'
/** The program that a process runs, also when another one lies at its place (proc(5)). */
const RUNNING = '/proc/self/exe'

/** How a program is started: an executable, and the arguments before the command's own. */
export type CommandLine = readonly [program: string, ...args: string[]]

/** What this process began with. */
export interface Beginning {
  readonly predecessor?: Predecessor
  /** How to start the program that this process runs. */
  readonly self: CommandLine
  /** The same of the one that lies at its place now. */
  readonly place: CommandLine
}

/**
 * Reads what the program before has left to this process; whoever it starts isn't told.
 * @param own how this program is started by its path
 */
export function takeBeginning(environment: NodeJS.ProcessEnv, own: CommandLine, pid: number): Beginning {
  const { [FOLLOWS]: told, [PLACE]: placed } = environment
  for (const name of [FOLLOWS, PLACE]) delete environment[name]
  if (told === undefined) return { self: own, place: own }
  const [, ...args] = own
  const holdsPort = isPortHeld()
  return {
    predecessor: { holdsPort, ...(holdsPort && /^\d+$/.test(told) && { port: Number(told) }) },
    ...(placed === undefined
      ? { self: own, place: own }
      : { self: [`/proc/${pid}/exe`, ...args], place: [placed, ...args] }),
  }
}

/** What `become` needs of this process. */
export interface Becoming {
  readonly beginning: Beginning
  readonly argv: readonly string[]
  readonly environment: NodeJS.ProcessEnv
  readonly serviceManager: ServiceManager | undefined
  /** `process.execve`. */
  readonly execve: (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => void
  /** Told when the program at its place can't be run. */
  readonly onFault: (fault: unknown) => void
}

/** Makes this process the program at its place, or, where that isn't sound or can't be run, once more the one that it runs. */
export function become({ beginning, argv, serviceManager, ...process }: Becoming, { port, isSound }: Next): never {
  const [program, ...before] = beginning.place
  const args = [program, ...before, ...argv]
  const environment = {
    ...process.environment,
    ...(serviceManager && managerVariables(serviceManager)),
    [FOLLOWS]: port === undefined ? 'stdin' : String(port),
  }
  try {
    if (isSound) process.execve(program, args, environment)
  } catch (fault) {
    process.onFault(fault)
  }
  process.execve(RUNNING, args, { ...environment, [PLACE]: program })
  throw new AppError('INTERNAL', `neither ${program} nor the program that ran can be run`)
}
