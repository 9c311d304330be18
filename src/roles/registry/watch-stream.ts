import type * as z from 'zod'
import type { Instance } from '../../kit/discovery/directory.ts'
import { type Down, type Snapshot, type Up, WATCH_EVENTS } from '../../kit/discovery/watch-events.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import { type EventStream, frameOf } from '../../kit/http/event-stream.ts'
import type { Frame } from '../../kit/http/reader-queue.ts'
import type { Change, Instances } from './instances.ts'

/** What a change takes in memory, bytes, roughly: its instance is mostly kept anyway. */
const CHANGE_BYTES = 1_024

/** A schema's input as we write it: readonly parts are as good as any. */
type Jsonable<S extends z.ZodType> = DeepReadonly<z.input<S>>
/** A type all of whose parts are readonly. */
export type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** Tells watchers which instances are healthy, and each change of that. What several are told is written out once. */
export class WatchStream {
  readonly #instances: Instances
  readonly #run: string
  readonly #changes: Broadcast<Change>
  /** An instance never changes: a change puts another in its place. */
  readonly #texts = new WeakMap<Instance, string>()
  /** By service, '' for all; those of one revision. */
  readonly #snapshots = new Map<string, Frame>()
  #revision = -1

  /** @param run names this run of the registry */
  constructor(instances: Instances, run: string) {
    this.#instances = instances
    this.#run = run
    const idOf = ({ revision }: Change) => `${run}.${revision}`
    this.#changes = new Broadcast({
      eventOf: (change) => ({
        event: WATCH_EVENTS[change.type],
        id: idOf(change),
        data: JSON.stringify(wireOf(change)),
      }),
      sizeOf: () => CHANGE_BYTES,
    })
    instances.onChange((change) => this.#changes.tell([change]))
  }

  /** Writes a snapshot, then the changes, to a stream until it is over. @param service the one that is watched; default: all */
  follow(events: EventStream, service?: string): Promise<void> {
    events.send(this.#snapshotOf(service))
    return this.#changes.follow(events, ({ instance }) => service === undefined || instance.service_name === service)
  }

  #snapshotOf(service = ''): Frame {
    const { revision } = this.#instances
    if (revision !== this.#revision) this.#snapshots.clear()
    this.#revision = revision
    const known = this.#snapshots.get(service)
    if (known) return known
    const healthy = service === '' ? this.#instances.allHealthy() : this.#instances.healthy(service)
    const empty: Jsonable<typeof Snapshot> = { registry: this.#run, revision, instances: [] }
    const data = JSON.stringify(empty).replace(/\]\}$/, () => `${healthy.map((one) => this.#textOf(one)).join(',')}]}`)
    const snapshot = frameOf({ event: WATCH_EVENTS.snapshot, id: `${this.#run}.${revision}`, data })
    if (healthy.length > 0) this.#snapshots.set(service, snapshot)
    return snapshot
  }

  #textOf(instance: Instance): string {
    const known = this.#texts.get(instance)
    if (known !== undefined) return known
    const text = JSON.stringify(instance)
    this.#texts.set(instance, text)
    return text
  }
}

function wireOf(change: Change): Jsonable<typeof Up> | Jsonable<typeof Down> {
  const { revision, instance } = change
  if (change.type === 'up') return { revision, instance }
  return { revision, id: instance.id, service_name: instance.service_name, reason: change.reason }
}
