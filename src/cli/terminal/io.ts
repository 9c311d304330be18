import type { ServiceManager } from '../../drivers/system/service-manager.ts'
import type { ParentChannel } from '../../kit/supervisor/protocol.ts'

/** One of the two output streams. */
export interface Terminal {
  /** Writes text in its order. @param when `soon`: it may wait a little for more where nobody looks on. Default `now` */
  write(text: string, when?: 'now' | 'soon'): void
  /** Whether a person looks at it: spinners and progress only then. */
  readonly isTTY: boolean
  /** Whether colour is wanted: a terminal, and NO_COLOR unset (https://no-color.org). */
  readonly colour: boolean
  /** Width in characters; 80 when unknown. */
  readonly columns: number
  /** Height in lines; 24 when unknown. */
  readonly rows: number
}

/** What the program has left that a process was before this one. */
export interface Predecessor {
  /** Whether a port that this process serves is held for it in place of stdin (held-port.ts). */
  readonly holdsPort: boolean
  /** Its number, where it was told. */
  readonly port?: number
}

/** What a process becomes. */
export interface Next {
  /** Number of the port that it leaves in place of stdin. */
  readonly port?: number
  /** Whether the program at its place is the one that was looked at. */
  readonly isSound: boolean
}

/** Whether what a person types can be read on the terminal: a secret can't. */
export type Echo = 'shown' | 'hidden'

/** All that the command line knows of the process it runs in; main.ts makes it, tests make their own. */
export interface Io {
  readonly out: Terminal
  readonly err: Terminal
  /** Resolves once all that was printed so far is written to stdout; rejects when it can't be. */
  outputTaken(): Promise<void>
  /** Writes bytes to stdout, behind nothing that was printed; resolves once they are written, rejects when they can't be, as when nobody reads them. */
  writeBytes(bytes: Uint8Array): Promise<void>
  /** Whether stdout goes nowhere, since it was closed when the program began. */
  readonly outputClosed: boolean
  /** Fires when stdout can't be written; the reason says why. Each look at it, and a timer from the first on, ends the process when its reader has gone. */
  readonly outputLost: AbortSignal
  /** All of stdin as text. Throws AppError `INVALID_BODY` past `maxBytes`, `USAGE` when stdin is a terminal. */
  readInput(maxBytes: number): Promise<string>
  /**
   * Asks the person at the terminal a question, and gives the line that is typed; absent where nobody sits there. Rejects when `leaving` fires, or the input ends.
   * @param echo whether what is typed can be read on the terminal. Default `shown`
   */
  readonly ask?: (question: string, echo?: Echo) => Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What processes of this very program get in their environment besides, and no others. */
  readonly ownVariables: Readonly<Record<string, string>>
  /** The current folder. */
  readonly folder: string
  readonly pid: number
  /** How to start this program again: an executable, and the arguments before the command's own. */
  readonly self: readonly [program: string, ...args: string[]]
  /** How to start the program that lies at this one's place now. Default: `self` */
  readonly place?: readonly [program: string, ...args: string[]]
  /** What the program has left that this process was before. Absent: it was none. */
  readonly predecessor?: Predecessor
  /**
   * Makes this process the program that lies at its place now, with the same command line: its id stays, and of what is open only stdin, stdout and stderr. Where that one isn't
   * sound it runs this one once more. Absent where the system can't.
   */
  readonly become?: (next: Next) => never
  /** The licences of all that the program is made of. Throws AppError `UNAVAILABLE` where they don't lie beside it. */
  licences(): Promise<string>
  /**
   * Fires on SIGINT, SIGTERM, SIGHUP, and when the process that holds this one is gone. For commands that stop in order: until it is looked at,
   * a signal ends the process at once, whatever it waits for or works on.
   */
  readonly signal: AbortSignal
  /** The same for commands that have nothing to stop in order: a second after it fires the process ends, whatever it still waits for. */
  readonly leaving: AbortSignal
  /** The process that started this one, when it left a channel. */
  readonly parent?: ParentChannel
  /** What the service manager that started this process said to it, where one did; `environment` is without it. */
  readonly serviceManager?: ServiceManager
  /** The program is loaded, and does what it was started for: from now on memory counts for more than a quick start. */
  settled(): void
  /** From now on Ctrl-C is the parent's business: it reaches every process of the terminal, and the parent stops in order. */
  leaveInterruptsToParent(): void
}
