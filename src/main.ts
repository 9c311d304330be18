import { join } from 'node:path'
import { isSea } from 'node:sea'
import { isatty } from 'node:tty'
import { setFlagsFromString } from 'node:v8'
import { inputText } from './cli/commands/input-text.ts'
import { createHeldWriter, type HeldWriter } from './cli/platform/held-writer.ts'
import { run } from './cli/run.ts'
import { writeAll } from './cli/terminal/byte-output.ts'
import type { Echo, Io } from './cli/terminal/io.ts'
import { wasClosed, watchReader } from './cli/terminal/pipe-reader.ts'
import { MANAGER_VARIABLES, readServiceManager, type ServiceManager } from './drivers/system/service-manager.ts'
import { AppError, messageOf } from './kit/errors.ts'
import type { ParentChannel } from './kit/supervisor/protocol.ts'
import { exitProcess } from './process-exit.ts'
import { fitHeap } from './process-heap.ts'
import { LAST_WORDS_MS, processSignals, type Signals } from './process-signals.ts'
import { become, takeBeginning } from './process-successor.ts'
import { terminal } from './process-terminal.ts'

/** How long a process may still take to stop once the one that holds it is gone, milliseconds; what hangs is killed soon after (guard.ts). */
const ORPHAN_MS = 400
/** How long what is typed in secret is looked at for more, milliseconds: a terminal gives a paste in pieces. */
const PASTE_MS = 50
/** How often whoever has nothing to write looks whether somebody still reads it, milliseconds. */
const LOOK_MS = 500

/**
 * How far the heap may outgrow what lives in it before that is looked for, percent. The engine lets a small one grow to four times its size: a
 * broker that took 100 000 messages held 100 MB that nobody used.
 */
const HEAP_GROWTH = 20

/** Runs the command line of this process, and ends it. */
async function start(): Promise<void> {
  const self: Io['self'] = isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, import.meta.filename]
  const ownVariables = fitHeap(self)
  const err = createHeldWriter((text) => void process.stderr.write(text))
  const crash = (fault: unknown) => {
    err.write(lastWords(fault))
    process.exit(1)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  process.on('exit', err.flush)
  process.stderr.on('error', onBrokenPipe)
  const signals = processSignals()
  const output = processOutput(process)
  const code = await run(process.argv.slice(2), processIo({ self, ownVariables, signals, output, err }))
  signals.whenStopped(() => setTimeout(() => exitProcess(code), LAST_WORDS_MS))
  const exitCode = await output.taken().then(
    () => code,
    // a command that failed has said why
    (fault: unknown) => code || sayLost(fault),
  )
  err.flush()
  await flush(process.stderr)
  exitProcess(exitCode)
}

function sayLost(fault: unknown): number {
  process.stderr.write(`error: ${messageOf(fault)}\n`)
  return 1
}

/** The last words of a process that met an error nobody expected: the stack, without the bundle's source line that Node would print. */
function lastWords(fault: unknown): string {
  const text = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)
  return `fault: this is a bug in msvc, please report it with these lines\n${text}\n`
}

/** The reader left (`msvc logs | head`): there is nobody to say anything to. */
function onBrokenPipe(fault: NodeJS.ErrnoException) {
  if (fault.code === 'EPIPE') exitProcess(0)
}

/** Resolves when all is written, or can't be. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

/** What becomes of that which this process writes to stdout. */
interface Output {
  taken(): Promise<void>
  readonly lost: AbortSignal
}

function processOutput({ stdout }: { readonly stdout: NodeJS.WriteStream & { fd: number } }): Output {
  const lost = new AbortController()
  let look: (() => void) | undefined
  /** Looks for the reader from now on; gives how to look at once. */
  function watch(): () => void {
    const isReaderGone = watchReader(stdout.fd)
    const leave = () => {
      if (isReaderGone()) exitProcess(0)
    }
    setInterval(leave, LOOK_MS).unref()
    return leave
  }

  stdout.on('error', (fault: NodeJS.ErrnoException) => {
    onBrokenPipe(fault)
    lost.abort(new AppError('UNAVAILABLE', `stdout can't be written: ${fault.message}`, { cause: fault }))
  })
  return {
    async taken() {
      await flush(stdout)
      lost.signal.throwIfAborted()
    },
    get lost() {
      look ??= watch()
      look()
      return lost.signal
    },
  }
}

/** What stands between this process and its command line. */
interface ProcessParts extends Pick<Io, 'self' | 'ownVariables'> {
  readonly signals: Signals
  readonly output: Output
  readonly err: HeldWriter
}

function processIo({ self, ownVariables, signals, output, err }: ProcessParts): Io {
  const parent = parentChannel(signals.stop)
  const beginning = takeBeginning(process.env, self, process.pid)
  const serviceManager = takeServiceManager()
  const execve = process.execve?.bind(process)
  return {
    out: terminal(process.stdout),
    err: terminal(process.stderr, process.stderr.isTTY ? undefined : err.write),
    outputTaken: output.taken,
    writeBytes: (bytes) => writeAll(process.stdout.fd, bytes),
    get outputClosed() {
      return wasClosed(process.stdout.fd)
    },
    get outputLost() {
      return output.lost
    },
    readInput,
    // to look at process.stdin would begin to read it, and it may be a port
    ...(isatty(0) &&
      process.stderr.isTTY && {
        ask: (question, echo) => askPerson(question, echo ?? 'shown', signals.leaving),
      }),
    licences: async () => (await import('./process-licences.ts')).processLicences(join(import.meta.dirname, '..')),
    environment: process.env,
    folder: process.cwd(),
    pid: process.pid,
    ownVariables,
    ...beginning,
    ...(execve && {
      become(next) {
        err.flush()
        const onFault = (fault: unknown) =>
          err.write(`error: the program at its place can't be run: ${messageOf(fault)}\n`)
        const argv = process.argv.slice(2)
        return become({ beginning, argv, environment: process.env, serviceManager, execve, onFault }, next)
      },
    }),
    get signal() {
      return signals.stopping
    },
    get leaving() {
      return signals.leaving
    },
    ...(parent && { parent }),
    ...(serviceManager && { serviceManager }),
    // not before: code that was compiled ahead is not taken by an engine with other flags
    settled: () => setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`),
    leaveInterruptsToParent: signals.ignoreInterrupts,
  }
}

/** What a service manager said to this process; the processes that it starts itself don't learn it. */
function takeServiceManager(): ServiceManager | undefined {
  const manager = readServiceManager(process.env, process.pid)
  for (const name of MANAGER_VARIABLES) delete process.env[name]
  return manager
}

/** When the process that started this one left a channel, this process ends with it, however it ends. */
function parentChannel(stop: (why: string) => void): ParentChannel | undefined {
  const { channel } = process
  if (!channel) return undefined
  process.once('disconnect', () => {
    stop('the end of the process that started it')
    setTimeout(() => process.exit(1), ORPHAN_MS).unref()
  })
  channel.unref()
  return {
    send: (message) => void process.send?.(message, undefined, {}, () => {}),
    onMessage(take) {
      channel.ref()
      process.on('message', take)
    },
  }
}

async function askPerson(question: string, echo: Echo, signal: AbortSignal): Promise<string> {
  const [{ createInterface }, { Writable }] = await Promise.all([
    import('node:readline/promises'),
    import('node:stream'),
  ])
  // at a terminal readline itself writes what is typed, to its output
  const output = echo === 'shown' ? process.stderr : new Writable({ write: (_text, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
  // not before the terminal itself shows nothing any more
  if (echo === 'hidden') process.stderr.write(question)
  const ended = Promise.withResolvers<never>()
  const otherwise = echo === 'hidden' ? 'have it read from a file or from stdin' : 'say it with a flag'
  lines.once('close', () => ended.reject(new AppError('USAGE', `nobody answers; ${otherwise}`)))
  // such as a key that is pasted: half a secret is none
  let hasMore = false
  lines.once('line', () => {
    hasMore = true
  })
  try {
    const line = await Promise.race([lines.question(question, { signal }), ended.promise])
    if (echo === 'hidden') {
      // the rest of what is pasted comes a little later, and would be the shell's to run
      await new Promise((resolve) => setTimeout(resolve, PASTE_MS))
      if (hasMore || lines.line !== '') throw new AppError('USAGE', `that was more than one line; ${otherwise}`)
    }
    return line
  } finally {
    lines.close()
    if (echo === 'hidden') process.stderr.write('\n')
  }
}

async function readInput(maxBytes: number): Promise<string> {
  if (process.stdin.isTTY) throw new AppError('USAGE', 'nothing is piped in; give it as an argument, or through stdin')
  return inputText(process.stdin, 'stdin', maxBytes)
}

if (import.meta.main) void start()
