import { connect } from 'node:net'
import type { Readiness } from '../../config/own-service.ts'
import { reachedHere } from '../../discovery/advertised.ts'
import { printEndpoint } from '../../discovery/endpoint.ts'
import { nodeCall } from '../../http/node-call.ts'
import { pause } from '../../pause.ts'
import { UNTRACED } from '../../telemetry/trace-context.ts'
import type { Guard } from '../guard.ts'
import { readyByCommand } from './readiness-command.ts'

/** What a service is asked with whether it is ready. */
export interface ReadinessOptions {
  readonly ready: Readiness
  /** Where it should listen; undefined for a worker. */
  readonly place: { readonly host: string; readonly port: number } | undefined
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly guard: Guard
  /** Whether it has written the text that it is ready by. */
  readonly hasWritten: () => boolean
}

/** How long one look may take, milliseconds. */
const LOOK_MS = 1_000
/** How long a command may take that tells it, milliseconds. */
const COMMAND_MS = 10_000
/** Between two looks: twice as long after each, milliseconds. */
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 250
/** Looks in vain after which it is told why it takes so long, milliseconds. */
const PATIENCE_MS = 1_000
/** More than this of an answer isn't read, bytes. */
const MOST_BYTES = 65_536
/** Not to be traced, and known in the service's own log. */
const HEADERS = {
  connection: 'close',
  'user-agent': 'msvc-probe',
  traceparent: UNTRACED,
}

/**
 * Looks once whether a service is ready. Gives why it isn't, in a few words; undefined when it is.
 * @param signal ends a command that tells it, when nobody wants to know any more
 */
export async function lookReady(options: ReadinessOptions, signal: AbortSignal): Promise<string | undefined> {
  const { ready, hasWritten } = options
  const place = options.place && { ...options.place, host: reachedHere(options.place.host) }
  switch (ready.by) {
    case 'none':
      return undefined
    case 'log':
      return hasWritten() ? undefined : `it hasn't written ${JSON.stringify(ready.text)}`
    case 'exec':
      return readyByCommand(ready.command, { ...options, longestMs: COMMAND_MS, signal })
    case 'tcp':
      return place && listens(place.host, place.port)
    case 'http':
      return place && answers(`${printEndpoint(place)}${ready.path}`, ready.path, place)
  }
}

/**
 * Resolves when a service is ready, or the signal fires. Never rejects.
 * @param tell told why it isn't, when it takes long and whenever that changes
 */
export async function untilReady(
  options: ReadinessOptions,
  tell: (why: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let told: string | undefined
  let waited = 0
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const why = await lookReady(options, signal)
    if (why === undefined || signal.aborted) return
    if (waited >= PATIENCE_MS && why !== told) tell(why)
    if (waited >= PATIENCE_MS) told = why
    await pause(pauseMs, signal)
    waited += pauseMs
    if (signal.aborted) return
  }
}

function listens(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: LOOK_MS })
    const finish = (why?: string) => {
      socket.destroy()
      resolve(why)
    }
    socket.once('connect', () => finish()).once('timeout', () => finish(`${host}:${port} doesn't answer`))
    socket.once('error', (fault: NodeJS.ErrnoException) => void refusal(host, port, fault).then(finish))
  })
}

async function answers(
  url: string,
  path: string,
  place: { readonly host: string; readonly port: number },
): Promise<string | undefined> {
  try {
    const { status, body } = await nodeCall(url, { headers: HEADERS, signal: AbortSignal.timeout(LOOK_MS) })
    // a connection that is cut while somebody still writes is an error in his log
    let size = 0
    for await (const chunk of body) {
      size += chunk.length
      if (size > MOST_BYTES) break
    }
    return status >= 200 && status < 400 ? undefined : `GET ${path} answers ${status}`
  } catch (fault) {
    if (fault instanceof Error && fault.name === 'TimeoutError')
      return `GET ${path} doesn't answer within ${LOOK_MS} ms`
    return refusal(place.host, place.port, fault)
  }
}

/** Why nobody can be reached, as the one who wrote the service can use it. */
async function refusal(host: string, port: number, fault: unknown): Promise<string> {
  const code = fault instanceof Error && 'code' in fault ? String(fault.code) : String(fault)
  if (code !== 'ECONNREFUSED') return `${host}:${port}: ${code}`
  const isElsewhere = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: '::1', port, timeout: LOOK_MS })
    const finish = (found: boolean) => {
      socket.destroy()
      resolve(found)
    }
    socket
      .once('connect', () => finish(true))
      .once('error', () => finish(false))
      .once('timeout', () => finish(false))
  })
  if (isElsewhere) return `it listens on [::1]:${port} alone; have it listen on HOST, ${host}`
  return `nobody listens on ${host}:${port}; it should on the port that PORT says`
}
