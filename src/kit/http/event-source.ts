import { backOff } from '../back-off.ts'
import { AppError, codeOfStatus } from '../errors.ts'
import { pause } from '../pause.ts'
import { EventParser, type ReceivedEvent } from './event-parser.ts'

/** An answer that may be a stream of events, such as a `Response`. */
export interface EventAnswer {
  readonly status: number
  /** 200 to 299. */
  readonly ok: boolean
  readonly headers: { get(name: string): string | null }
  /** Ends with an error once the signal that `connect` was given fires. */
  readonly body: AsyncIterable<Uint8Array> | null
}

/** What to follow, and with how much patience. */
export interface EventSourceOptions {
  /**
   * Opens one connection, such as `(headers, signal) => fetch(url, { headers, signal })`.
   * @param headers `accept`, and `last-event-id` when the server gave an id before
   * @param signal fires when the connection is given up
   */
  readonly connect: (headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<EventAnswer>
  /** A throw counts as a lost stream. */
  readonly onEvent: (event: ReceivedEvent) => void
  /** The stream is open; called again after each reconnect. */
  readonly onOpen?: () => void
  /** The stream was lost, or could not be opened; a new try follows. */
  readonly onLost?: (cause: unknown) => void
  /** Ends it all. */
  readonly signal: AbortSignal
  /** Milliseconds until the answer's head must be there. Default 5 000. */
  readonly connectMs?: number
  /** Milliseconds of silence after which the connection counts as dead: three of the server's heartbeats. Default 45 000. */
  readonly idleMs?: number
  /** Pause before the first new try, doubled for each failure in a row. Default 50. */
  readonly minPauseMs?: number
  /** Longest pause. Default 2 000. */
  readonly maxPauseMs?: number
  /** Most characters of one event. Default 16 Mi. */
  readonly maxLength?: number
  /** Uniform in [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number
}

const MAX_LENGTH = 16 * 1_048_576
/** Shortest pause after a 429, milliseconds: too many wait there already, and one of them has to go first. */
const CROWDED_MS = 1_000

/**
 * Follows a stream of server-sent events, reconnecting with jittered back-off and `Last-Event-ID` whenever it breaks, falls silent or is
 * refused. Resolves once `signal` has fired and the connection is closed; never rejects.
 * @example await followEvents({ connect: (headers, signal) => fetch(url, { headers, signal }), onEvent: apply, signal })
 */
export async function followEvents(options: EventSourceOptions): Promise<void> {
  const { signal, onLost, minPauseMs: firstMs = 50, maxPauseMs: mostMs = 2_000, random = Math.random } = options
  const session: Session = { lastId: '', heard: false }
  let failures = 0
  while (!signal.aborted) {
    session.heard = false
    const cause = await followOnce(options, session)
    if (signal.aborted) return
    onLost?.(cause)
    failures = session.heard ? 0 : failures + 1
    const least = cause instanceof AppError && cause.code === 'RATE_LIMITED' ? CROWDED_MS : 0
    await pause(Math.max(least, backOff(failures + 1, { firstMs, mostMs, random })), signal)
  }
}

interface Session {
  lastId: string
  /** Whether this connection gave anything, so that a server that takes and drops connections is still backed off from. */
  heard: boolean
}

/** One connection, from opening to its end. Gives why it ended. */
async function followOnce(options: EventSourceOptions, session: Session): Promise<unknown> {
  const { connect, onEvent, onOpen, signal, connectMs = 5_000, idleMs = 45_000, maxLength = MAX_LENGTH } = options
  const attempt = new AbortController()
  const stop = () => attempt.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  let watchdog = giveUpAfter(connectMs, 'no answer in time', attempt)
  try {
    const headers = { accept: 'text/event-stream', ...(session.lastId !== '' && { 'last-event-id': session.lastId }) }
    const answer = await connect(headers, attempt.signal)
    if (!answer.ok || !isEventStream(answer)) throw refusal(answer)
    clearTimeout(watchdog)
    watchdog = giveUpAfter(idleMs, 'the stream fell silent', attempt)
    onOpen?.()
    const parser = new EventParser((event) => {
      onEvent(event)
      // an event that could not be taken is asked for again, after a pause
      session.lastId = event.id
      session.heard = true
    }, maxLength)
    for await (const chunk of answer.body ?? []) {
      watchdog.refresh()
      parser.push(chunk)
    }
    return attempt.signal.reason ?? new AppError('UNREACHABLE', 'The stream was closed by the server')
  } catch (cause) {
    return attempt.signal.aborted ? attempt.signal.reason : cause
  } finally {
    clearTimeout(watchdog)
    signal.removeEventListener('abort', stop)
    attempt.abort()
  }
}

function giveUpAfter(ms: number, why: string, attempt: AbortController): NodeJS.Timeout {
  return setTimeout(() => attempt.abort(new AppError('UPSTREAM_TIMEOUT', why)), ms)
}

function isEventStream(answer: EventAnswer): boolean {
  return answer.headers.get('content-type')?.startsWith('text/event-stream') ?? false
}

function refusal(answer: EventAnswer): AppError {
  const code = codeOfStatus(answer.status) ?? 'UPSTREAM_FAILED'
  return new AppError(code, `The server answered ${answer.status} instead of a stream`)
}
