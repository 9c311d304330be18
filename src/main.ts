import { isSea } from 'node:sea'
import type { Io, Terminal } from './cli/io.ts'
import { run } from './cli/run.ts'
import { AppError } from './kit/errors.ts'
import type { ParentChannel } from './kit/supervisor/protocol.ts'

/** A second Ctrl-C ends the process at once; npm and some launchers send one keystroke twice, this close together. */
const SAME_KEYSTROKE_MS = 500
/** How long a process may still take to stop once the one that holds it is gone, milliseconds. */
const ORPHAN_MS = 3_000

const SIGINT_EXIT = 130

/** Runs the command line of this process, and ends it. */
async function start(): Promise<void> {
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onBrokenPipe)
  const code = await run(process.argv.slice(2), processIo())
  await Promise.all([flush(process.stdout), flush(process.stderr)])
  process.exit(code)
}

/** The last words of a process that met an error nobody expected: the stack, without the bundle's source line that Node would print. */
function crash(fault: unknown) {
  const text = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)
  process.stderr.write(`fault: this is a bug in msvc, please report it with these lines\n${text}\n`)
  process.exit(1)
}

/** The reader left (`msvc logs | head`): there is nobody to say anything to. */
function onBrokenPipe(fault: NodeJS.ErrnoException) {
  if (fault.code === 'EPIPE') process.exit(0)
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

function taken(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve, reject) => stream.write('', (fault) => (fault ? reject(fault) : resolve())))
}

function processIo(): Io {
  const stopping = new AbortController()
  let interruptedAt = Number.NEGATIVE_INFINITY
  let ownsInterrupts = true
  const stop = (why: string) => stopping.abort(new AppError('STOPPING', `stopped by ${why}`))

  process.on('SIGINT', () => {
    if (!ownsInterrupts) return
    const now = performance.now()
    if (stopping.signal.aborted && now - interruptedAt > SAME_KEYSTROKE_MS) process.exit(SIGINT_EXIT)
    interruptedAt = now
    stop('SIGINT')
  })
  process.on('SIGTERM', stop)
  process.on('SIGHUP', stop)

  const parent = parentChannel(stop)
  return {
    out: terminal(process.stdout),
    err: terminal(process.stderr),
    outputTaken: () => taken(process.stdout),
    readInput,
    environment: process.env,
    folder: process.cwd(),
    pid: process.pid,
    self: isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, import.meta.filename],
    signal: stopping.signal,
    ...(parent && { parent }),
    leaveInterruptsToParent() {
      ownsInterrupts = false
    },
    isAlive(pid) {
      try {
        return process.kill(pid, 0)
      } catch (fault) {
        return fault instanceof Error && 'code' in fault && fault.code === 'EPERM'
      }
    },
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

function terminal(stream: NodeJS.WriteStream): Terminal {
  const isTTY = stream.isTTY ?? false
  const { NO_COLOR, TERM } = process.env
  return {
    write: (text) => void stream.write(text),
    isTTY,
    colour: isTTY && !NO_COLOR && TERM !== 'dumb',
    get columns() {
      return stream.columns ?? 80
    },
  }
}

async function readInput(maxBytes: number): Promise<string> {
  if (process.stdin.isTTY) throw new AppError('USAGE', 'nothing is piped in; give it as an argument, or through stdin')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin) {
    size += chunk.length
    if (size > maxBytes) throw new AppError('INVALID_BODY', `stdin holds more than ${maxBytes} bytes`)
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks).toString('utf8')
}

if (import.meta.main) void start()
