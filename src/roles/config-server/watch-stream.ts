import type * as z from 'zod'
import type { Store } from '../../drivers/store/contract.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { jsonInParts } from '../../kit/http/json-in-parts.ts'
import { type EventInParts, Snapshots } from '../../kit/http/snapshots.ts'
import { type ConfigTables, listConfigs } from './config-rows.ts'
import type { ConfigChange, Configs } from './configs.ts'
import type { ConfigPath, WatchChange, WatchSnapshot } from './contract.ts'
import { layersOf, nameOf } from './documents.ts'

/** What is watched: a service's configurations, an environment's, one configuration, or all of them. */
type Wanted = { readonly [K in keyof ConfigPath]?: string | undefined }

/** Tells watchers which versions there are, and each change. Values are not among what is told. */
export class WatchStream {
  readonly #store: Store<ConfigTables>
  readonly #changes = new Broadcast<ConfigChange>({
    eventOf: (change) => ({ event: 'change', data: JSON.stringify(wireOf(change)) }),
    sizeOf,
  })
  readonly #snapshots = new Snapshots(this.#changes)

  constructor(configs: Configs, store: Store<ConfigTables>) {
    this.#store = store
    configs.onChange((change) => this.#changes.tell([change]))
  }

  /** Writes a snapshot, then the changes, to a stream until it is over. */
  async follow(events: EventStream, wanted: Wanted): Promise<void> {
    const concerns = concernsOf(wanted)
    const name = JSON.stringify([wanted.service, wanted.environment])
    const { frame, from } = await this.#snapshots.of(name, () => this.#look(concerns))
    events.send(frame)
    await this.#changes.follow(events, concerns, from)
  }

  /** A change while the rows are read is told twice rather than never. */
  async #look(concerns: (path: ConfigPath) => boolean): Promise<EventInParts> {
    const empty: z.input<typeof WatchSnapshot> = { configs: [] }
    const rows = (await listConfigs(this.#store.db)).filter(concerns)
    const configs = rows.map(({ service, environment, version }) => ({ service, environment, version }))
    return { event: 'snapshot', data: jsonInParts(empty, configs) }
  }
}

function wireOf({ keys, ...change }: ConfigChange): z.input<typeof WatchChange> {
  return { ...change, keys: [...keys] }
}

function sizeOf({ keys }: ConfigChange): number {
  return keys.reduce((size, key) => size + key.length, 200)
}

/** Which configurations have a say in what a watcher asked for. */
function concernsOf({ service, environment }: Wanted): (path: ConfigPath) => boolean {
  return (path) =>
    layersOf({ service: service ?? path.service, environment: environment ?? path.environment }).some(
      (layer) => nameOf(layer) === nameOf(path),
    )
}
