import type { Clock } from '../../drivers/clock.ts'
import { parseExact } from '../exact-json.ts'
import { isRecord } from '../record.ts'
import { hideInText } from '../secrets/secret-text.ts'
import type { Level, LogSink } from '../telemetry/log.ts'
import { redact } from '../telemetry/redact.ts'
import { formatTimestamp } from '../telemetry/timestamps.ts'
import { guessLevel, withoutSeverity } from './line-level.ts'
import { lineSplitter } from './lines.ts'
import { parseLogfmt } from './logfmt.ts'
import { type LoggerEntry, MOST_TEXT, readLoggerEntry } from './logger-entry.ts'
import { plainText } from './plain-text.ts'
import { beginningOf, grownBy, isIndented, isUnfinished, type Shape } from './stack-trace.ts'

/** Lines of one entry: a trace that has more, or more than MOST_TEXT, goes on in another one. */
const MOST_LINES = 500
/** Milliseconds after which an entry is given out though lines still come. */
const MOST_WAIT_MS = 2_000
/** By how much longer one waits of which more comes for sure. */
const UNFINISHED_FACTOR = 20

/** Whose output is read, where its entries go, and for how long one waits for more lines. */
export interface StreamReaderOptions {
  readonly service: string
  readonly instance: string
  readonly clock: Clock
  readonly take: LogSink
  readonly lingerMs: number
}

/** An entry whose lines may not all be there. */
interface Waiting {
  /** When it began, by the wall clock and by the other. */
  readonly time: number
  readonly since: number
  text: string
  lines: number
  shape: Shape
  level: Level | undefined
  isIndented: boolean
  /** Empty lines behind it, which are part of it where it goes on. */
  empty: number
}

/** Turns the lines of one stream into entries. It has no timer: whoever owns it calls `flush` when `dueAt` has come. */
export class StreamReader {
  readonly #options: StreamReaderOptions
  readonly #lines: ReturnType<typeof lineSplitter>
  #waiting: Waiting | undefined
  #stamped = { time: Number.NaN, text: '' }
  /** By the monotonic clock: when the last bytes came. */
  #spokeAt = 0

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#lines = lineSplitter((line) => {
      for (let at = 0; at === 0 || at < line.length; at += MOST_TEXT) this.#read(line.slice(at, at + MOST_TEXT))
    })
  }

  /** When what waits has waited long enough, by the monotonic clock; undefined where nothing does. */
  get dueAt(): number | undefined {
    const entry = this.#waiting
    if (entry === undefined) return undefined
    const lingerMs = this.#options.lingerMs * (isUnfinished(entry.shape) ? UNFINISHED_FACTOR : 1)
    return Math.min(this.#spokeAt + lingerMs, entry.since + MOST_WAIT_MS)
  }

  /** Takes what the process wrote, cut anywhere. */
  push(chunk: Buffer): void {
    this.#spokeAt = this.#options.clock.monotonic()
    this.#lines.push(chunk)
  }

  /** Reads what is left without a newline, and gives out what waits. */
  end(): void {
    this.#lines.end()
    this.flush()
  }

  /** Gives out what waits. */
  flush(): void {
    const entry = this.#waiting
    if (entry === undefined) return
    this.#waiting = undefined
    this.#give(entry.time, entry.level ?? 'INFO', entry.text)
  }

  #read(line: string): void {
    const text = plainText(line)
    if (this.#readFields(text)) return
    const entry = this.#waiting
    if (text.trim() === '') {
      if (entry !== undefined) entry.empty++
      return
    }
    if (entry !== undefined && this.#goesOn(entry, text)) return
    this.flush()
    this.#begin(text)
  }

  /** Whether a line is an entry by itself, as loggers write them for machines. */
  #readFields(text: string): boolean {
    const said = readEntry(text, this.#options)
    if (said === undefined) return false
    this.flush()
    const { time = this.#options.clock.now(), level = 'INFO', message, traceId, spanId, rest } = said
    this.#give(time, level, plainText(message), {
      ...(traceId !== undefined && { trace_id: traceId }),
      ...(spanId !== undefined && { span_id: spanId }),
      ...(rest !== undefined && { metadata: redact(rest) }),
    })
    return true
  }

  #goesOn(entry: Waiting, text: string): boolean {
    if (entry.lines >= MOST_LINES || entry.text.length + text.length >= MOST_TEXT) return false
    if (this.#spokeAt - entry.since > MOST_WAIT_MS) return false
    const shape = grownBy(
      { shape: entry.shape, level: entry.level, isIndented: entry.isIndented, isParted: entry.empty > 0 },
      text,
    )
    if (shape === undefined) return false
    if (entry.shape === 'java-logging') entry.level = guessLevel(text)
    // what has a trace has failed, whatever stands above it
    if (shape !== entry.shape && shape !== 'line') entry.level ??= LEVEL_OF_TRACE[shape]
    entry.shape = shape
    entry.text += `${'\n'.repeat(Math.min(entry.empty, 2) + 1)}${text}`
    entry.lines += 1
    entry.empty = 0
    entry.isIndented ||= isIndented(text)
    return true
  }

  #begin(line: string): void {
    const { text, level: severity } = withoutSeverity(line)
    const { shape, level } = beginningOf(text)
    this.#waiting = {
      time: this.#options.clock.now(),
      since: this.#spokeAt,
      text,
      lines: 1,
      shape,
      level: severity ?? level ?? guessLevel(text),
      isIndented: isIndented(text),
      empty: 0,
    }
  }

  /** Many lines come in the same millisecond. */
  #stamp(time: number): string {
    if (time !== this.#stamped.time) this.#stamped = { time, text: formatTimestamp(time) }
    return this.#stamped.text
  }

  #give(time: number, level: Level, message: string, more?: object): void {
    const { service, instance, take } = this.#options
    // cut last: half a secret shows itself no more
    const shown = hideInText(message).slice(0, MOST_TEXT).toWellFormed()
    take({ timestamp: this.#stamp(time), level, service, instance, message: shown, ...more })
  }
}

/** Of what a trace makes an entry whose own words say no level. */
const LEVEL_OF_TRACE: Readonly<Partial<Record<Shape, Level>>> = {
  trace: 'ERROR',
  python: 'ERROR',
  'node-error': 'ERROR',
  required: 'ERROR',
  go: 'ERROR',
  rust: 'ERROR',
  php: 'ERROR',
  ruby: 'ERROR',
}

/** What a logger said with a line; undefined for what is text, as whatever can't be read. */
function readEntry(text: string, whose: StreamReaderOptions): LoggerEntry | undefined {
  try {
    const fields = text.startsWith('{') ? parseExact(text) : parseLogfmt(text)
    return isRecord(fields) ? readLoggerEntry(fields, whose) : undefined
  } catch {
    return undefined
  }
}
