import type { Clock } from '../../drivers/clock.ts'
import type { LogSink } from '../telemetry/log.ts'
import { StreamReader } from './stream-reader.ts'

/** The two ways by which a process speaks. */
export type OutputStream = 'stdout' | 'stderr'

/** Whose output is read, and where its entries go. */
export interface OutputReaderOptions {
  /** Whose entries they are, whatever a line says. */
  readonly service: string
  readonly instance: string
  readonly clock: Clock
  readonly take: LogSink
  /** Milliseconds for which an entry waits for more lines of it; twenty times as long in the midst of a stack trace. Default 50. */
  readonly lingerMs?: number
}

/** Reads what one process writes. */
export interface OutputReader {
  push(stream: OutputStream, chunk: Buffer): void
  /** Gives out what waits, and ends its timer: for when the process has. More may be pushed. */
  end(): void
}

/**
 * Turns what a process writes to stdout and stderr into log entries: a line of JSON or logfmt by what it says of level, time, message, trace and span;
 * another line by the level it begins with, else INFO; a stack trace, and what is indented, with the line before it, each stream for itself. Secrets are hidden as in the kit's
 * own log, colours taken out. Memory is bounded by some 128 KiB a stream.
 * @example
 * const reader = createOutputReader({ service: 'catalog', instance: 'catalog-1', clock: systemClock, take: (entry) => shipper.add(entry) })
 * child.stdout.on('data', (chunk) => reader.push('stdout', chunk))
 * child.once('close', () => reader.end())
 */
export function createOutputReader({ lingerMs = 50, ...whose }: OutputReaderOptions): OutputReader {
  const options = { lingerMs, ...whose }
  const streams = { stdout: new StreamReader(options), stderr: new StreamReader(options) }
  const both = [streams.stdout, streams.stderr]
  let timer: NodeJS.Timeout | undefined

  function look(): void {
    timer = undefined
    const now = whose.clock.monotonic()
    for (const stream of both) if ((stream.dueAt ?? Number.POSITIVE_INFINITY) <= now) stream.flush()
    wait()
  }

  /** One timer for as long as something waits: lines come faster than it pays to move it. */
  function wait(): void {
    if (timer !== undefined) return
    const dueAt = Math.min(...both.map((stream) => stream.dueAt ?? Number.POSITIVE_INFINITY))
    if (dueAt === Number.POSITIVE_INFINITY) return
    timer = setTimeout(look, Math.max(1, Math.ceil(dueAt - whose.clock.monotonic())))
  }

  return {
    push(stream, chunk) {
      streams[stream].push(chunk)
      wait()
    },
    end() {
      clearTimeout(timer)
      timer = undefined
      for (const stream of both) stream.end()
    },
  }
}
