import type { Cluster, Redis } from 'ioredis'
import { DriverError } from '../../driver-error.ts'
import type { CacheOptions } from '../contract.ts'
import type { RedisAddress } from './address.ts'
import { createClient, pauseAfter, type RedisTimes } from './client.ts'
import { noWord, redisFault } from './faults.ts'
import { PROBE, type Script } from './scripts.ts'
import { refuseOld } from './version.ts'

/** How long the end of a connection is waited for, milliseconds. */
const CLOSE_MS = 1_000
/** Most commands under way: what comes beyond would only wait behind them. */
const MAX_IN_FLIGHT = 10_000

type State = { readonly at: 'well' } | { readonly at: 'away'; readonly fault: DriverError } | { readonly at: 'closed' }

/** How a connection is made, and who is told of it. */
export interface ConnectionOptions extends Pick<CacheOptions, 'onAway' | 'onBack'> {
  readonly address: RedisAddress
  /** A key that may be written to find out whether the server does what is needed. */
  readonly probeKey: string
  /** Uniform in [0, 1): spreads the tries of those who lost a server together. Default `Math.random`. */
  readonly random?: () => number
  readonly times: RedisTimes
}

/** A connection to a Redis that is kept up: looked after, made anew when it breaks, and tried out before it is used. */
export class RedisConnection {
  readonly #options: ConnectionOptions
  readonly #client: Redis | Cluster
  readonly #firstWord = Promise.withResolvers<void>()
  readonly #random: () => number
  readonly #notes = new Set<string>()
  #state: State
  #inFlight = 0
  /** Connections, in a row, on which what is needed could not be done. */
  #failures = 0
  #trial: NodeJS.Timeout | undefined

  /** Begins to connect. Use it when `opened` has resolved. */
  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#state = { at: 'away', fault: noWord(options.address) }
    const client = createClient(options.address, {
      random: this.#random,
      times: options.times,
      onNeedlessPassword: () => this.#notes.add(`${options.address.shown} wants no password, and its URL has one`),
    })
    this.#client = client
    client.on('ready', () => this.#planTrial())
    client.on('close', () => this.#lost(this.#reason()))
    client.on('error', (cause: unknown) => this.#lost(cause))
    // a node of a cluster that fails is not all of them: it is why, if they all do
    client.on('node error', (cause: unknown) => this.#doubt(cause))
    client.connect().catch(() => {})
  }

  /**
   * Resolves when the server has answered and lets us do what is needed, or has said nothing for so long: then it is away until it is back.
   * Rejects with DriverError `invalid` for what won't pass by itself, such as a wrong password.
   */
  async opened(): Promise<void> {
    const late = setTimeout(this.#firstWord.resolve, this.#options.times.firstWordMs)
    try {
      await this.#firstWord.promise
    } catch (fault) {
      await this.close()
      throw fault
    } finally {
      clearTimeout(late)
    }
  }

  /** What an operator should know of the server, as far as it is known. */
  get notes(): readonly string[] {
    return [...this.#notes]
  }

  /** Runs a script. Rejects with DriverError: at once where the server is away. */
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (this.#state.at === 'closed') throw new DriverError('closed', 'cache: it is closed')
    if (this.#state.at === 'away') throw this.#state.fault
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      const what = `has ${MAX_IN_FLIGHT} commands to answer already`
      const told = `cache: its server ${what}`
      throw new DriverError('unavailable', `cache: ${this.#options.address.shown} ${what}`, { told })
    }
    return this.#ask(script, keys, args)
  }

  /** Resolves when the server takes a write before `signal` fires; for health. */
  async check(signal: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<never>()
    const told = 'cache: its server did not answer in time'
    const message = `cache: ${this.#options.address.shown} did not answer in time`
    const giveUp = () => late.reject(new DriverError('unavailable', message, { told }))
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    try {
      await Promise.race([late.promise, this.run(PROBE, [this.#options.probeKey], [])])
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Closes the connection; what is under way fails. May be called twice. */
  async close(): Promise<void> {
    if (this.#state.at === 'closed') return
    this.#state = { at: 'closed' }
    clearTimeout(this.#trial)
    const ended = Promise.withResolvers<void>()
    this.#client.once('end', ended.resolve)
    const late = setTimeout(ended.resolve, CLOSE_MS)
    this.#client.disconnect()
    // a client between two tries to connect has nothing to end, and says nothing
    if (this.#client.status === 'end' || this.#client.status === 'reconnecting') ended.resolve()
    await ended.promise
    clearTimeout(late)
  }

  async #ask({ sha, text }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    this.#inFlight++
    try {
      return await this.#client.evalsha(sha, keys.length, ...keys, ...args).catch((cause: unknown) => {
        if (!(cause instanceof Error && cause.message.startsWith('NOSCRIPT'))) throw cause
        return this.#client.eval(text, keys.length, ...keys, ...args)
      })
    } catch (cause) {
      if (this.#state.at === 'closed') throw new DriverError('closed', 'cache: it was closed meanwhile', { cause })
      throw redisFault(this.#options.address, cause)
    } finally {
      this.#inFlight--
    }
  }

  /** A connection stands: it counts once a write went through. */
  #planTrial(): void {
    clearTimeout(this.#trial)
    const pauseMs = this.#failures === 0 ? 0 : pauseAfter(this.#failures, this.#random)
    this.#trial = setTimeout(() => void this.#tryOut(), pauseMs)
  }

  async #tryOut(): Promise<void> {
    try {
      await refuseOld(this.#client, this.#options.address)
      await this.#ask(PROBE, [this.#options.probeKey], [])
    } catch (fault) {
      this.#failures++
      // that the connection ended meanwhile is told by its end, and why by what came before
      if (this.#client.status !== 'ready') return
      this.#lost(fault)
      if (this.#state.at === 'away') this.#planTrial()
      return
    }
    this.#failures = 0
    if (this.#state.at !== 'away') return
    this.#state = { at: 'well' }
    this.#firstWord.resolve()
    this.#options.onBack?.()
  }

  #lost(cause: unknown): void {
    if (this.#state.at === 'closed') return
    const fault = redisFault(this.#options.address, cause)
    this.#state = { at: 'away', fault }
    if (fault.kind === 'invalid') this.#firstWord.reject(fault)
    this.#options.onAway?.(fault)
  }

  #doubt(cause: unknown): void {
    if (this.#state.at === 'away') this.#lost(cause)
  }

  /** Why the connection ended: what was said before it did, if anything was. */
  #reason(): unknown {
    return this.#state.at === 'away' ? this.#state.fault : new Error('the connection was closed')
  }
}
