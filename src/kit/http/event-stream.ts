import type { Context } from 'hono'
import type { Log } from '../telemetry/log.ts'
import type { AppEnv } from './app-env.ts'
import { Frame, FrameWriter, PIECE_BYTES } from './frame.ts'
import type { Waits } from './waits.ts'

/** One server-sent event (WHATWG HTML §9.2). `data` is text, as a rule JSON; line breaks in it are kept. */
export interface ServerEvent {
  /** Its type. Default `message`. */
  readonly event?: string
  /** What a reconnecting reader sends back as `Last-Event-ID`. */
  readonly id?: string
  readonly data: string
}

/** The writing end of one reader's stream. */
export interface EventStream {
  /** Fires when the stream is over: the reader has gone or was too slow, or the role is stopping. */
  readonly signal: AbortSignal
  /** Resolves when `signal` fires. */
  readonly over: Promise<void>
  /** Queues an event. False when it was not taken: the stream is over, also when the reader is too far behind for more. */
  send(event: ServerEvent | Frame): boolean
  /** Whether little waits for the reader: a source that can wait sends only then. */
  readonly hasRoom: boolean
  /** Resolves as soon as there is room; false when the stream is over. */
  room(): Promise<boolean>
  /** Ends the stream at once, for a reader that is too far behind: it comes back with its `Last-Event-ID`. */
  cut(): void
}

/** How long a stream lasts. */
export interface EventStreamOptions {
  /** The role's `ctx.waits`: counts the stream, bounds what waits for its reader, and ends it when the role stops. */
  readonly waits: Waits
  /** Silence in milliseconds after which a comment is sent, so that both ends see that the connection lives. Default 15 000. */
  readonly heartbeatMs?: number
  /** Told when `produce` throws. */
  readonly log: Pick<Log, 'error'>
}

const HEARTBEAT_MS = 15_000
/** How long a reader has to take the rest when the role stops, milliseconds. */
const LAST_WORDS_MS = 500
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
  'transfer-encoding': 'chunked',
}
/** Said at once, so that headers reach the reader before the first event does; and the heartbeat. */
const COMMENT = Buffer.from(':\n\n')

/**
 * Answers with a stream of server-sent events that lasts until `produce` is done, the reader goes away, or the role stops. A reader takes
 * what it wants when it wants: what waits for it is bounded, and events that came meanwhile leave together.
 * Throws AppError `RATE_LIMITED` when too many wait already.
 * @param produce writes the events; a throw cuts the stream. Frees what it holds once `over` resolves
 * @example
 * app.get('/registry/watch', (c) => eventStream(c, { waits: ctx.waits, log: ctx.log }, async (events) => {
 *   const stop = registry.onChange((change) => events.send({ event: change.type, data: JSON.stringify(change) }))
 *   await events.over
 *   stop()
 * }))
 */
export function eventStream(
  c: Context<AppEnv>,
  options: EventStreamOptions,
  produce: (events: EventStream) => Promise<void>,
): Response {
  // a source for a reader who takes no body would never learn that it is over
  if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS)
  const { waits, heartbeatMs = HEARTBEAT_MS, log } = options
  const wait = waits.begin(c)
  const queue = waits.queues.open(cut)
  const ended = new AbortController()
  const over = new Promise<void>((resolve) => ended.signal.addEventListener('abort', () => resolve(), { once: true }))
  const exchange = c.env?.exchange
  if (exchange) exchange.openEnded = true
  let lastWords: NodeJS.Timeout | undefined
  let wakeReader = () => {}
  let emptied = Promise.withResolvers<void>()

  /** Nothing comes any more; what waits may still be taken. */
  function end() {
    if (ended.signal.aborted) return
    ended.abort()
    lastWords = setTimeout(cut, LAST_WORDS_MS)
    wakeReader()
    emptied.resolve()
  }

  /** The reader took all, or takes nothing more. */
  function close() {
    queue.close()
    wait.end()
    end()
    clearTimeout(lastWords)
  }

  /** For a reader that takes nothing more: waiting for the rest to leave would hold up a stop. */
  function cut() {
    close()
    exchange?.outgoing.destroy()
  }

  const events: EventStream = {
    signal: ended.signal,
    over,
    send(event) {
      if (ended.signal.aborted) return false
      const taken = queue.push(event instanceof Frame ? event : frameOf(event))
      if (!taken) cut()
      wakeReader()
      return taken
    },
    get hasRoom() {
      return queue.hasRoom
    },
    async room() {
      while (!events.hasRoom && !ended.signal.aborted) await emptied.promise
      return !ended.signal.aborted
    },
    cut,
  }

  /** What the reader gets next, once there is something; undefined when nothing comes any more. */
  async function next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (!queue.isEmpty) await waits.queues.turn()
      const piece = queue.take()
      if (piece) {
        emptied.resolve()
        emptied = Promise.withResolvers()
        return piece
      }
      if (ended.signal.aborted) return undefined
      if (await silence(heartbeatMs)) return COMMENT
    }
  }

  /** True when nothing happened for `ms`, false as soon as something does. */
  function silence(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), ms)
      wakeReader = () => {
        clearTimeout(timer)
        resolve(false)
      }
    })
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(COMMENT)
      },
      async pull(controller) {
        const piece = await next()
        if (piece) return controller.enqueue(piece)
        close()
        controller.close()
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
  wait.signal.addEventListener('abort', () => (wait.gone() ? close() : end()), { once: true })
  if (wait.signal.aborted) end()
  produce(events).then(end, (fault: unknown) => {
    log.error('an event stream was cut: its source failed', { cause: String(fault) })
    cut()
  })
  return c.body(body, 200, HEADERS)
}

/** What an event ends with. */
export const END = '\n\n'
const LINE_BREAK = /\r\n|\r|\n/

/** Writes an event out, to be sent to one reader or to many. */
export function frameOf({ data, ...head }: ServerEvent): Frame {
  const lines = data.includes('\n') || data.includes('\r') ? data.split(LINE_BREAK).join('\ndata: ') : data
  const text = `${headOf(head)}${lines}${END}`
  // no character takes more than three bytes
  if (text.length * 3 <= PIECE_BYTES) return new Frame([Buffer.from(text)])
  const frame = new FrameWriter()
  frame.write(text)
  return frame.end()
}

/** What an event begins with; its data, without line breaks, and `END` follow. */
export function headOf({ event, id }: Omit<ServerEvent, 'data'>): string {
  return `${event === undefined ? '' : `event: ${oneLine(event)}\n`}${id === undefined ? '' : `id: ${oneLine(id)}\n`}data: `
}

/** A line break in a name would start a field of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, '')
}
