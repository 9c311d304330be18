import { backOff } from '../back-off.ts'
import type { NodeAnswer } from '../http/node-call.ts'
import { isRecord } from '../record.ts'
import type { Log } from '../telemetry/log.ts'
import { createWakeUp } from '../wake-up.ts'
import { createClockWatch } from './other-clock.ts'
import { type RegistryCallsOptions, registryCalls } from './registry-calls.ts'
import type { RegistryDirectory } from './registry-directory.ts'

/** Milliseconds between heartbeats: three fit into a lease (the seed's 30 s). */
const HEARTBEAT_MS = 10_000
/** Pause after a failed try, milliseconds: doubled up to the longest. */
const FIRST_PAUSE_MS = 400
const LONGEST_PAUSE_MS = 2_000
/** How long the registry may take for an answer, milliseconds. */
const CALL_MS = 2_000
/** The registry's last word must not hold up a stop, milliseconds. */
const LEAVE_MS = 1_000

/** What is registered, and where. */
export interface RegistrationOptions extends RegistryCallsOptions {
  /** Where others reach it: advertised.ts. */
  readonly host: string
  readonly port: number
  readonly tags?: readonly string[]
  /** Should tell this process from its predecessor on the same port, so that callers give it a fresh start. */
  readonly metadata: Readonly<Record<string, string>>
  readonly log: Pick<Log, 'error' | 'warning' | 'info'>
  /** Tells when the registry is back. */
  readonly directory: Pick<RegistryDirectory, 'onConnect'>
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
  /** Milliseconds between heartbeats. Default 10 000. */
  readonly heartbeatMs?: number
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/** This process's place in the registry. */
export interface KeptRegistration {
  /** Takes it out of rotation, as for one that doesn't answer, and puts it in again. It is healthy at first. */
  setHealthy(isHealthy: boolean): void
  /** Deregisters, waiting at most 1 s. True when the registry had known this instance and took it out. Never throws. */
  leave(): Promise<boolean>
}

/** The registry answered, and not as hoped. */
class Refusal extends Error {}

/** What the registry answered: by id and fence it tells this registration from one that came after it. */
interface Registered {
  readonly id: string
  readonly fence?: number
}

type State = { readonly at: 'unknown' } | { readonly at: 'registered'; readonly self: Registered }

/**
 * Registers an instance and keeps it registered: a heartbeat every 10 s, one at once when the registry is back, a new registration
 * when the registry does not know it. Where another one registered in its place, its heartbeats are refused, and it stays out until that one is gone.
 * Returns at once and never throws. Says when this machine's clock and the registry's are apart. A refusal is logged once; that the registry is away, the directory logs.
 * With an empty `registryUrl` it does nothing.
 */
export function register(options: RegistrationOptions): KeptRegistration {
  const {
    service,
    host,
    port,
    tags = [],
    metadata,
    log,
    directory,
    now = Date.now,
    heartbeatMs = HEARTBEAT_MS,
    random = Math.random,
  } = options
  if (options.registryUrl === '') return { setHealthy: () => {}, leave: () => Promise.resolve(false) }
  const call = registryCalls(options)
  const stop = new AbortController()
  const body = { service_name: service, host, port, tags, metadata }
  let state: State = { at: 'unknown' }
  const bell = createWakeUp()
  const hearClock = createClockWatch(log, 'the registry')
  let refused = false
  let healthy = true

  async function post(path: string, content: unknown, signal: AbortSignal): Promise<NodeAnswer> {
    const headers = { 'content-type': 'application/json' }
    const sent = now()
    const answer = await call(path, { method: 'POST', headers, body: JSON.stringify(content), signal })
    hearClock(answer.headers.get('date'), { sent, came: now() })
    return answer
  }

  /** One step: registers, renews, or says that it is unhealthy. Throws when it could not. */
  async function step(): Promise<void> {
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(CALL_MS)])
    if (state.at === 'registered') {
      // a heartbeat would put it in rotation again; without any the lease ends
      const answer = await post(healthy ? '/registry/heartbeat' : '/registry/unhealthy', state.self, signal)
      answer.cancel()
      if (answer.ok) return
      if (answer.status !== 404) throw new Refusal(`status ${answer.status}`)
      state = { at: 'unknown' }
    }
    if (!healthy) return
    const answer = await post('/registry/register', body, signal)
    const said = await answer.json()
    const self = answer.status === 201 ? readRegistered(said) : undefined
    if (self) state = { at: 'registered', self }
    else throw new Refusal(`status ${answer.status}, ${JSON.stringify(said).slice(0, 300)}${cureOf(answer.status)}`)
  }

  async function keepRegistered() {
    let failures = 0
    while (!stop.signal.aborted) {
      try {
        await step()
        refused = false
        failures = 0
      } catch (fault) {
        if (stop.signal.aborted) return
        if (fault instanceof Refusal && !refused) log.error(`the registry refuses ${service}: ${fault.message}`)
        refused ||= fault instanceof Refusal
        failures++
      }
      const mostMs = Math.min(LONGEST_PAUSE_MS, heartbeatMs)
      const pauseMs =
        failures === 0
          ? heartbeatMs * (0.9 + random() * 0.2)
          : backOff(failures, { firstMs: FIRST_PAUSE_MS, mostMs, random })
      await bell.sleep(pauseMs, stop.signal)
    }
  }

  const stopListening = directory.onConnect(() => bell.ring())
  const keeping = keepRegistered()

  return {
    setHealthy(isHealthy) {
      if (healthy === isHealthy) return
      healthy = isHealthy
      bell.ring()
    },
    async leave() {
      const { signal } = stop
      if (signal.aborted) return false
      stop.abort()
      stopListening()
      await keeping
      try {
        // by address: the answer with the id may have been on its way
        const fence = state.at === 'registered' ? state.self.fence : undefined
        const self = { service_name: service, host, port, ...(fence !== undefined && { fence }) }
        const answer = await post('/registry/deregister', self, AbortSignal.timeout(LEAVE_MS))
        answer.cancel()
        return answer.ok
      } catch {
        // a registry that is away or stopping too finds out by the lease
        return false
      }
    },
  }
}

/** What to do about who isn't believed: on a second machine keys are made anew where there are none, and nobody else knows them. */
function cureOf(status: number): string {
  return status === 401
    ? "; where the platform's other machines run with auth.mode: token, say so here too, with a copy of their keys/ in the data folder (cp -a)"
    : ''
}

function readRegistered(said: unknown): Registered | undefined {
  if (!isRecord(said) || typeof said.id !== 'string') return undefined
  return { id: said.id, ...(typeof said.fence === 'number' && { fence: said.fence }) }
}
