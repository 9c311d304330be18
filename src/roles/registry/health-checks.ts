import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { guardedLookup, refusedUrl } from '../../kit/discovery/address-rule.ts'
import { pause } from '../../kit/pause.ts'
import type { CheckResult } from './instances.ts'

/** How long a check may take, milliseconds. */
const TIMEOUT_MS = 2_000
/** Pause after a failed check, milliseconds: one that comes up is found soon. */
const RETRY_MS = 1_000

/** How often to ask, and who wants to know. */
export interface HealthChecksOptions {
  /** Milliseconds between checks that pass. */
  readonly intervalMs: number
  readonly report: (id: string, url: string, result: CheckResult) => void
  readonly signal: AbortSignal
  /** Uniform in [0, 1): spreads the checks of many instances. Default `Math.random`. */
  readonly random?: () => number
}

interface Watched {
  readonly url: string
  readonly stop: AbortController
}

/** Polls the health_check_url of instances that gave one. */
export class HealthChecks {
  readonly #options: HealthChecksOptions
  readonly #watched = new Map<string, Watched>()

  constructor(options: HealthChecksOptions) {
    this.#options = options
  }

  /** Begins to poll an instance, unless it is polled at that URL already. */
  watch(id: string, url: string | undefined): void {
    if (this.#watched.get(id)?.url === url) return
    this.forget(id)
    if (url === undefined || this.#options.signal.aborted) return
    const stop = new AbortController()
    this.#watched.set(id, { url, stop })
    void this.#poll(id, url, stop.signal)
  }

  /** Ends the polling of an instance. */
  forget(id: string): void {
    this.#watched.get(id)?.stop.abort()
    this.#watched.delete(id)
  }

  /** Ends all polling. */
  close(): void {
    for (const id of [...this.#watched.keys()]) this.forget(id)
  }

  async #poll(id: string, url: string, signal: AbortSignal): Promise<void> {
    const { intervalMs, report, random = Math.random } = this.#options
    while (!signal.aborted) {
      const result = await checkHealth(url, signal)
      if (!signal.aborted) report(id, url, result)
      const pauseMs = result.at === 'passing' ? intervalMs : Math.min(RETRY_MS, intervalMs)
      await pause(pauseMs * (0.9 + random() * 0.2), signal)
    }
  }
}

/**
 * Asks a health_check_url once: 2xx passes. Redirects are not followed, and the address is checked again when the connection is made.
 */
function checkHealth(url: string, signal: AbortSignal): Promise<CheckResult> {
  const refused = refusedUrl(url)
  if (refused !== undefined) return Promise.resolve({ at: 'failing', reason: `the address is refused: ${refused}` })
  const request = url.toLowerCase().startsWith('https:') ? requestHttps : requestHttp
  return new Promise((resolve) => {
    const asking = request(url, {
      lookup: guardedLookup,
      agent: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: { 'user-agent': 'msvc-registry', accept: '*/*' },
    })
    asking.on('response', (answer) => {
      const { statusCode = 0 } = answer
      resolve(
        statusCode >= 200 && statusCode < 300 ? { at: 'passing' } : { at: 'failing', reason: `status ${statusCode}` },
      )
      asking.destroy()
    })
    asking.on('error', (fault: NodeJS.ErrnoException) => {
      const reason =
        fault.name === 'TimeoutError' || fault.name === 'AbortError'
          ? `no answer in ${TIMEOUT_MS} ms`
          : (fault.code ?? fault.message)
      resolve({ at: 'failing', reason })
    })
    // after a switch of protocols there is neither response nor error
    asking.on('close', () => resolve({ at: 'failing', reason: 'closed without an answer' }))
    asking.end()
  })
}
