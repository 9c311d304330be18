import type * as z from 'zod'
import { type Down, type Snapshot, type Up, WATCH_EVENTS } from '../../kit/discovery/watch-events.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { jsonInParts } from '../../kit/http/json-in-parts.ts'
import { type EventInParts, Snapshots } from '../../kit/http/snapshots.ts'
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
  readonly #snapshots: Snapshots

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
    this.#snapshots = new Snapshots(this.#changes)
    instances.onChange((change) => this.#changes.tell([change]))
  }

  /** Writes a snapshot, then the changes, to a stream until it is over. @param service the one that is watched; default: all */
  async follow(events: EventStream, service?: string): Promise<void> {
    const { frame, from } = await this.#snapshots.of(service ?? '', () => this.#look(service))
    events.send(frame)
    const fits = ({ instance }: Change) => service === undefined || instance.service_name === service
    await this.#changes.follow(events, fits, from)
  }

  #look(service: string | undefined): EventInParts {
    const { revision } = this.#instances
    const healthy = service === undefined ? this.#instances.allHealthy() : this.#instances.healthy(service)
    const empty: Jsonable<typeof Snapshot> = { registry: this.#run, revision, instances: [] }
    return { event: WATCH_EVENTS.snapshot, id: `${this.#run}.${revision}`, data: jsonInParts(empty, healthy) }
  }
}

function wireOf(change: Change): Jsonable<typeof Up> | Jsonable<typeof Down> {
  const { revision, instance } = change
  if (change.type === 'up') return { revision, instance }
  return { revision, id: instance.id, service_name: instance.service_name, reason: change.reason }
}
