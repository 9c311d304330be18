import { AppError } from '../../kit/errors.ts'
import { parseLiteral } from '../../kit/exact-json.ts'
import { followEvents } from '../../kit/http/event-source.ts'
import { type Api, callFault } from '../session/api.ts'
import type { Session } from '../session/session.ts'

export interface FollowOptions {
  /** The role's CLI word, for messages. */
  readonly role: string
  /** Where the stream is; made anew for each connection where it is a function, whose signal fires when the connection is given up. */
  readonly path: string | ((signal: AbortSignal) => Promise<string>)
  /** Default GET. */
  readonly method?: 'GET' | 'POST'
  readonly onData: (data: string) => void
  /** The id of the last event that is known already; those after it come first. */
  readonly after?: string
  /** Ends following besides the program's own signal, such as when enough came. */
  readonly enough?: AbortSignal
  /** Ends it once stdout can't be written. Default: at once. */
  readonly lost?: AbortSignal
}

/**
 * Prints from a role's event stream until Ctrl-C: a stream that breaks is taken up again where it broke. Throws AppError when it can't be
 * opened the first time, or stdout can't be written.
 */
export async function follow({ io, messages }: Session, api: Api, options: FollowOptions): Promise<void> {
  const { role, path, method, onData, after, enough } = options
  const outputLost = options.lost ?? io.outputLost
  const giveUp = new AbortController()
  let wasOpen = false
  let lost: unknown
  await followEvents({
    async connect(headers, signal) {
      const at = typeof path === 'string' ? path : await path(signal)
      return api.open(at, { ...(after !== undefined && { 'last-event-id': after }), ...headers }, signal, method)
    },
    onEvent: ({ data }) => onData(data),
    signal: AbortSignal.any([io.leaving, outputLost, giveUp.signal, ...(enough ? [enough] : [])]),
    onOpen() {
      if (lost) messages.info(`${role} is back`)
      wasOpen = true
      lost = undefined
    },
    onLost(cause) {
      // where it was in a log that is another one now, there is nothing to go on from
      if (!wasOpen || (cause instanceof AppError && cause.code === 'INVALID_REQUEST')) giveUp.abort()
      else if (!lost) messages.warn(`${role} at ${api.place} is gone; waiting for it to come back`)
      lost = cause ?? true
    },
  })
  io.outputLost.throwIfAborted()
  if (giveUp.signal.aborted) throw callFault(lost, role, api.place)
}

/** The JSON of an event, its numbers to the letter, or a fault that names the role: a stream of ours holds nothing else. */
export function parseEvent(data: string, role: string): unknown {
  try {
    return parseLiteral(data)
  } catch (cause) {
    throw new AppError('UPSTREAM_FAILED', `${role} sent something that is not JSON`, { cause })
  }
}
