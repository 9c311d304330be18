import { constants } from 'node:os'
import { isSea } from 'node:sea'
import { setFlagsFromString } from 'node:v8'
import { writeAll } from './cli/byte-output.ts'
import { createHeldWriter, type HeldWriter } from './cli/held-writer.ts'
import { inputText } from './cli/input-text.ts'
import type { Io, Terminal } from './cli/io.ts'
import { wasClosed, watchReader } from './cli/pipe-reader.ts'
import { run } from './cli/run.ts'
import { AppError, messageOf } from './kit/errors.ts'
import type { ParentChannel } from './kit/supervisor/protocol.ts'

/** A second signal ends the process at once; npm and some launchers send one keystroke twice, this close together. No hand is so fast. */
const SAME_KEYSTROKE_MS = 100
/** How long what has nothing to stop may take for its last words once a signal came, and whoever reads the output to take them, milliseconds. */
const LAST_WORDS_MS = 1_000
/** How long a process may still take to stop once the one that holds it is gone, milliseconds; what hangs is killed soon after (guard.ts). */
const ORPHAN_MS = 400
/** How often whoever has nothing to write looks whether somebody still reads it, milliseconds. */
const LOOK_MS = 500

/**
 * How far the heap may outgrow what lives in it before that is looked for, percent. The engine lets a small one grow to four times its size: a
 * broker that took 100 000 messages held 100 MB that nobody used.
 */
const HEAP_GROWTH = 20

/** Runs the command line of this process, and ends it. */
async function start(): Promise<void> {
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
  const code = await run(process.argv.slice(2), processIo(signals, output, err))
  signals.whenStopped(() => setTimeout(() => process.exit(code), LAST_WORDS_MS))
  const exitCode = await output.taken().then(
    () => code,
    // a command that failed has said why
    (fault: unknown) => code || sayLost(fault),
  )
  err.flush()
  await flush(process.stderr)
  process.exit(exitCode)
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
  if (fault.code === 'EPIPE') process.exit(0)
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
      if (isReaderGone()) process.exit(0)
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

/** The signals that ask this process to end. */
interface Signals {
  /** Fires when one came; from the first look at it on. Until then a signal ends the process as it ends any other, whatever it does. */
  readonly stopping: AbortSignal
  /** The same, for what has nothing to stop: the process ends soon after it fires. */
  readonly leaving: AbortSignal
  /** As if a signal had come. */
  stop(why: string): void
  /** From now on SIGINT is somebody else's business. */
  ignoreInterrupts(): void
  /** Runs something once a signal has come; never when nobody has looked for one. */
  whenStopped(then: () => void): void
}

function processSignals(): Signals {
  const stopping = new AbortController()
  let handled = false
  let ignoresInterrupts = false
  let endsSoon = false
  let askedAt = Number.NEGATIVE_INFINITY
  const stop = (why: string) => stopping.abort(new AppError('STOPPING', `stopped by ${why}`))

  function take(signal: NodeJS.Signals) {
    if (signal === 'SIGINT' && ignoresInterrupts) return
    const now = performance.now()
    if (stopping.signal.aborted && now - askedAt > SAME_KEYSTROKE_MS) process.exit(128 + constants.signals[signal])
    askedAt = now
    if (endsSoon) setTimeout(() => process.exit(128 + constants.signals[signal]), LAST_WORDS_MS)
    stop(signal)
  }

  function handle() {
    if (handled) return
    handled = true
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, take)
  }

  return {
    get stopping() {
      handle()
      return stopping.signal
    },
    get leaving() {
      endsSoon = true
      handle()
      return stopping.signal
    },
    stop,
    ignoreInterrupts() {
      ignoresInterrupts = true
      handle()
    },
    whenStopped(then) {
      if (stopping.signal.aborted) then()
      else stopping.signal.addEventListener('abort', then, { once: true })
    },
  }
}

function processIo(signals: Signals, output: Output, err: HeldWriter): Io {
  const parent = parentChannel(signals.stop)
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
    environment: process.env,
    folder: process.cwd(),
    pid: process.pid,
    self: isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, import.meta.filename],
    get signal() {
      return signals.stopping
    },
    get leaving() {
      return signals.leaving
    },
    ...(parent && { parent }),
    // not before: code that was compiled ahead is not taken by an engine with other flags
    settled: () => setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`),
    leaveInterruptsToParent: signals.ignoreInterrupts,
  }
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

function terminal(stream: NodeJS.WriteStream, write: Terminal['write'] = (text) => void stream.write(text)): Terminal {
  const isTTY = stream.isTTY ?? false
  const { NO_COLOR, TERM } = process.env
  return {
    write,
    isTTY,
    colour: isTTY && !NO_COLOR && TERM !== 'dumb',
    get columns() {
      return stream.columns || 80
    },
  }
}

async function readInput(maxBytes: number): Promise<string> {
  if (process.stdin.isTTY) throw new AppError('USAGE', 'nothing is piped in; give it as an argument, or through stdin')
  return inputText(process.stdin, 'stdin', maxBytes)
}

if (import.meta.main) void start()
