import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A request such as the role's usual clients send. */
export interface GoodRequest {
  readonly method?: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
}

/** Whom a good client asks for what. */
export interface GoodClientOptions {
  readonly url: string
  /** The role's process, whose memory is looked at meanwhile. */
  readonly pid: number
  /** A bare server, asked as often. */
  readonly machineUrl: string
  /** Asked in turn. */
  readonly requests: readonly GoodRequest[]
}

/** What a good client met with. */
export interface Experience {
  readonly asked: number
  /** What it got instead of a 2xx answer, each thing once. */
  readonly failures: readonly string[]
  readonly p99Ms: number
  readonly worstMs: number
  /** The same of a bare server in a thread of its own: what the machine was busy with besides. */
  readonly machineP99Ms: number
  /** Resident memory of the role's process meanwhile, in bytes. */
  readonly resident: { readonly most: number; readonly last: number }
}

/**
 * A client who asks at a steady rate, a new connection each time, however slowly the answers come (so that a pause counts for all who would
 * have come in it). It lives in a thread of its own: what keeps the attacker's loop busy is not the role's fault.
 */
export class GoodClient implements AsyncDisposable {
  readonly #thread: Worker

  constructor(options: GoodClientOptions) {
    this.#thread = new Worker(new URL('good-client-thread.ts', import.meta.url), { workerData: options })
  }

  /** Asks until `until` resolves, and waits for the answers that are under way then. */
  async askUntil(until: Promise<unknown>): Promise<Experience> {
    this.#thread.postMessage('ask')
    await until.finally(() => this.#thread.postMessage('rest'))
    const [experience] = (await once(this.#thread, 'message')) as [Experience]
    return experience
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.terminate()
  }
}
