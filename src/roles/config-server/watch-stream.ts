import type * as z from 'zod'
import type { Store } from '../../drivers/store/contract.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { type ConfigTables, listConfigs } from './config-rows.ts'
import type { ConfigChange, Configs } from './configs.ts'
import type { ConfigPath, WatchChange, WatchSnapshot } from './contract.ts'
import { layersOf, nameOf } from './documents.ts'

/** What is watched: a service's configurations, an environment's, one configuration, or all of them. */
type Wanted = { readonly [K in keyof ConfigPath]?: string | undefined }

/** Tells watchers which versions there are, and each change. Values are not among what is told. */
export class WatchStream {
  readonly #store: Store<ConfigTables>
  readonly #changes = new Broadcast<ConfigChange>({ eventOf: (change) => eventOf('change', wireOf(change)), sizeOf })

  constructor(configs: Configs, store: Store<ConfigTables>) {
    this.#store = store
    configs.onChange((change) => this.#changes.tell([change]))
  }

  /** Writes a snapshot, then the changes, to a stream until it is over. */
  async follow(events: EventStream, wanted: Wanted): Promise<void> {
    const concerns = concernsOf(wanted)
    // a change while the rows are read is told twice rather than never
    const begin = this.#changes.end
    const rows = (await listConfigs(this.#store.db)).filter(concerns)
    const configs = rows.map(({ service, environment, version }) => ({ service, environment, version }))
    events.send(eventOf('snapshot', { configs }))
    await this.#changes.follow(events, concerns, begin)
  }
}

function eventOf(event: string, data: z.input<typeof WatchSnapshot> | z.input<typeof WatchChange>) {
  return { event, data: JSON.stringify(data) }
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
