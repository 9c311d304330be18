import type { Context } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { AppEnv } from '../role.ts'
import type { Log } from '../telemetry/log.ts'

/** One server-sent event (WHATWG HTML §9.2). `data` is text, as a rule JSON; line breaks in it are kept. */
interface ServerEvent {
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
  /** Queues an event. False when it was not taken: the stream is over, or full and told to drop. */
  send(event: ServerEvent): boolean
  /** Resolves as soon as the queue is less than half full, for sources that can wait; false when the stream is over. */
  room(): Promise<boolean>
}

/** How long a stream lasts, and what it does with a slow reader. */
export interface EventStreamOptions {
  /** Ends the stream: the role's `ctx.signal`. */
  readonly signal: AbortSignal
  /** Silence in milliseconds after which a comment is sent, so that both ends see that the connection lives. Default 15 000. */
  readonly heartbeatMs?: number
  /** Most bytes waiting for a slow reader. One event may be larger when nothing else waits. Default 1 MiB. */
  readonly maxQueuedBytes?: number
  /** Told when `produce` throws. */
  readonly log?: Pick<Log, 'error'>
  /** A full queue ends the stream, for the reader to come back with its `Last-Event-ID`, or drops the event. Default `end`. */
  readonly whenFull?: 'end' | 'drop'
}

const HEARTBEAT_MS = 15_000
const MAX_QUEUED_BYTES = 1_048_576
/** How long a reader has to take the rest when the role stops, milliseconds. */
const LAST_WORDS_MS = 500
/** What a stream's answer has, for a request that asks for its head alone. */
const HEAD_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }
/** Said at once, so that headers reach the reader before the first event does; and the heartbeat. */
const COMMENT = ':\n\n'

/**
 * Answers with a stream of server-sent events that lasts until `produce` is done, the reader goes away, or the role stops. What waits for a
 * slow reader is bounded; events sent in one turn of the loop leave in one write.
 * @param produce writes the events; a throw cuts the stream. Frees what it holds once `over` resolves
 * @example
 * app.get('/registry/watch', (c) => eventStream(c, { signal: ctx.signal }, async (events) => {
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
  c.header('X-Accel-Buffering', 'no')
  // a source for a reader who takes no body would never learn that it is over
  if (c.req.method === 'HEAD') return c.body(null, 200, HEAD_HEADERS)
  const { signal, heartbeatMs = HEARTBEAT_MS, maxQueuedBytes = MAX_QUEUED_BYTES, whenFull = 'end', log } = options
  const ended = new AbortController()
  if (c.env?.exchange) c.env.exchange.openEnded = true
  let queue: string[] = []
  let queuedBytes = 0
  let stream: SSEStreamingApi | undefined
  let wakeWriter = () => {}
  let emptied = Promise.withResolvers<void>()

  function end() {
    if (ended.signal.aborted) return
    ended.abort()
    signal.removeEventListener('abort', end)
    wakeWriter()
    emptied.resolve()
  }

  /** For a reader that takes nothing more: waiting for the rest to leave would hold up a stop. */
  function cut() {
    queue = []
    end()
    stream?.abort()
    c.env?.exchange?.outgoing.destroy()
  }

  const events: EventStream = {
    signal: ended.signal,
    over: new Promise((resolve) => ended.signal.addEventListener('abort', () => resolve(), { once: true })),
    send(event) {
      if (ended.signal.aborted) return false
      const frame = frameOf(event)
      const bytes = Buffer.byteLength(frame)
      if (queuedBytes > 0 && queuedBytes + bytes > maxQueuedBytes) {
        if (whenFull === 'end') cut()
        return false
      }
      queue.push(frame)
      queuedBytes += bytes
      wakeWriter()
      return true
    },
    async room() {
      while (queuedBytes * 2 >= maxQueuedBytes && !ended.signal.aborted) await emptied.promise
      return !ended.signal.aborted
    },
  }

  async function write(to: SSEStreamingApi) {
    await to.write(COMMENT)
    while (queue.length > 0 || !ended.signal.aborted) {
      if (queue.length === 0) {
        if (await silence(heartbeatMs)) await to.write(COMMENT)
        continue
      }
      const batch = queue.join('')
      const bytes = queuedBytes
      queue = []
      await to.write(batch)
      // counted until the reader's side has taken it, or a slow reader would have twice the room
      queuedBytes -= bytes
      emptied.resolve()
      emptied = Promise.withResolvers()
    }
  }

  /** True when nothing happened for `ms`, false as soon as something does. */
  function silence(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), ms)
      wakeWriter = () => {
        clearTimeout(timer)
        resolve(false)
      }
    })
  }

  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  return streamSSE(c, async (opened) => {
    stream = opened
    opened.onAbort(() => {
      queue = []
      end()
    })
    const producing = produce(events).then(end, (fault: unknown) => {
      log?.error('an event stream was cut: its source failed', { cause: String(fault) })
      cut()
    })
    const writing = write(opened)
    await events.over
    const stuck = setTimeout(cut, LAST_WORDS_MS)
    await writing
    clearTimeout(stuck)
    await producing
  })
}

const LINE_BREAK = /\r\n|\r|\n/

function frameOf({ event, id, data }: ServerEvent): string {
  const head = `${event === undefined ? '' : `event: ${oneLine(event)}\n`}${id === undefined ? '' : `id: ${oneLine(id)}\n`}`
  const lines = data.includes('\n') || data.includes('\r') ? data.split(LINE_BREAK).join('\ndata: ') : data
  return `${head}data: ${lines}\n\n`
}

/** A line break in a name would start a field of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, '')
}
