import type { Hono } from 'hono'
import { differences, type PlaceKind, type Places } from './config/places.ts'
import { ownFields, type Section } from './config/schema.ts'
import type { Movable } from './cutover/role-cutover.ts'
import { AppError } from './errors.ts'
import type { AppEnv } from './http/app-env.ts'
import { Door } from './http/door.ts'
import type { Exchange } from './http/exchange.ts'
import { reachPlaces } from './reached-places.ts'
import type { AnyRole, Running } from './role.ts'
import { beginRun, type Premises, type RoleRun } from './role-run.ts'

/** A role on its places; `held`: these are closed, and requests wait. */
type State =
  | { readonly at: 'new' }
  | { readonly at: 'running'; readonly places: Places; readonly run: RoleRun }
  | { readonly at: 'held'; readonly places: Places; readonly run: RoleRun }

/**
 * Of which places a role may have its next run begin while the one before still takes requests: where nothing else is its own, all that a run is told and
 * that must outlive it is told to other runs too. On a store of its own the next one would have read by then what the other still writes.
 */
const SWAPPED: readonly PlaceKind[] = ['cache']

/** The runs of a role, one after the other behind one open port: it can be moved to other places while requests wait. */
export class MovingRun implements Movable {
  /** What requests pass on their way here. */
  readonly door = new Door()
  readonly #role: AnyRole
  readonly #premises: Premises
  /** What it is told now: each run begins with it. */
  #section: Section
  readonly #broken = Promise.withResolvers<Error>()
  #state: State = { at: 'new' }
  /** The end of the run before this one. */
  #ending: Promise<void> = Promise.resolve()
  #chain: ((running: Running) => Hono<AppEnv>) | undefined
  #app: Hono<AppEnv> | undefined

  constructor(role: AnyRole, premises: Premises) {
    this.#role = role
    this.#premises = premises
    this.#section = premises.section
    const stopping = () => this.door.close(new AppError('STOPPING', 'The role is stopping'))
    premises.signal.addEventListener('abort', stopping, { once: true })
  }

  /** Resolves with why it is of no use any more; never while all is well. */
  get broken(): Promise<Error> {
    return this.#broken.promise
  }

  /** The first run. Rejects with why the role can't start. */
  async start(places: Places): Promise<Running> {
    const run = await this.#beginRun(places)
    this.#state = { at: 'running', places, run }
    return run.running
  }

  /** Lets requests in. @param chain puts the inner chain around a run's routes */
  open(chain: (running: Running) => Hono<AppEnv>): void {
    const { run } = this.#started()
    this.#chain = chain
    this.#app = chain(run.running)
    this.door.open(run.traffic)
  }

  /** Takes a request on node:http level; true when it did. */
  handle(exchange: Exchange): boolean {
    return this.#started().run.running.handle?.(exchange) ?? false
  }

  /** Answers a request. */
  fetch(request: Request, env: AppEnv['Bindings']): Response | Promise<Response> {
    if (!this.#app) throw new AppError('UNAVAILABLE', `${this.#role.name} has not started`)
    return this.#app.fetch(request, env)
  }

  /**
   * Has the run take another section, and those after it; gives its loopback ports from now on. Throws AppError `NOT_IMPLEMENTED` when the role takes none,
   * and why it can't take this one.
   */
  reload(section: Section): Pick<Running, 'loopback'> {
    const { running } = this.#started().run
    if (!running.reload) throw new AppError('NOT_IMPLEMENTED', `${this.#role.name} takes no settings while it runs`)
    const reloaded = running.reload(ownFields(section))
    this.#section = section
    return reloaded
  }

  /** Ends the run, and with it all that the role has opened. */
  async stop(): Promise<void> {
    if (this.#state.at !== 'new') await this.#state.run.stop()
    await this.#ending
  }

  places(): Places {
    return this.#started().places
  }

  async prepare(to: Places): Promise<void> {
    const { run, places } = this.#started()
    await reachPlaces(new Set(this.#moves(run, differences(places, to))), to, this.#premises)
  }

  async hold(to: Places, ms: number): Promise<void> {
    const { run, places } = this.#started()
    const isSwapped = [...run.uses].every((kind) => SWAPPED.includes(kind))
    if (isSwapped || this.#moves(run, differences(places, to)).length === 0) return
    this.door.shut()
    // those that wait for something to happen end when they are told to, the others in their own time
    if (!(await run.traffic.quiet(() => run.waits.count, ms))) {
      this.door.open(run.traffic)
      const { count } = run.traffic
      throw new AppError('UNAVAILABLE', `${this.#role.name}: ${count} requests under way take longer than ${ms} ms`)
    }
    this.#state = { at: 'held', places, run }
    await run.stop()
  }

  async begin(places: Places): Promise<void> {
    const { at, run: before, places: old } = this.#started()
    if (at === 'running' && this.#moves(before, differences(old, places)).length === 0) {
      this.#state = { at, run: before, places }
      return
    }
    const run = await this.#beginRun(places)
    this.#state = { at: 'running', places, run }
    this.#app = this.#chain?.(run.running)
    await run.running.ready?.(this.#premises.signal)
    this.door.open(run.traffic)
    // one that was held has ended; another still has requests under way, which nobody needs to wait for
    this.#ending = before.stop(this.#premises.settings.drain_seconds * 1_000)
  }

  fail(why: Error): void {
    this.#broken.resolve(why)
  }

  #moves(run: RoleRun, differing: readonly PlaceKind[]): readonly PlaceKind[] {
    return differing.filter((kind) => run.uses.has(kind))
  }

  async #beginRun(places: Places): Promise<RoleRun> {
    const section = this.#section
    const run = await beginRun(this.#role, places, { ...this.#premises, section })
    // the one before may have been told another meanwhile
    if (this.#section !== section) run.running.reload?.(ownFields(this.#section))
    void run.broken.then((fault) => this.#broken.resolve(fault))
    return run
  }

  #started(): Exclude<State, { at: 'new' }> {
    if (this.#state.at === 'new') throw new AppError('INTERNAL', `${this.#role.name} has not started`)
    return this.#state
  }
}
