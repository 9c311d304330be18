import type * as z from 'zod'
import type { Store } from '../../drivers/store/contract.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { jsonInParts } from '../../kit/http/json-in-parts.ts'
import { type EventInParts, Snapshots } from '../../kit/http/snapshots.ts'
import { type ConfigTables, readConfigs } from './config-rows.ts'
import type { ConfigChange, Configs } from './configs.ts'
import { type ConfigPath, DEFAULT, type WatchChange, type WatchSnapshot } from './contract.ts'

/** What is watched: a service's configurations, an environment's, one configuration, or all of them. */
type Wanted = { readonly [K in keyof ConfigPath]?: string | undefined }

/** Tells watchers which versions there are, and each change. Values are not among what is told. */
export class WatchStream {
  readonly #store: Pick<Store<ConfigTables>, 'db'>
  readonly #changes = new Broadcast<ConfigChange>({
    eventOf: (change) => ({ event: 'change', data: JSON.stringify(wireOf(change)) }),
    sizeOf,
  })
  readonly #snapshots = new Snapshots(this.#changes)
  /** All there are, for whoever asks until there is a change. */
  #known: { readonly until: number; readonly configs: ReturnType<typeof readConfigs> } | undefined

  constructor(configs: Configs, store: Pick<Store<ConfigTables>, 'db'>) {
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
    const configs = (await this.#readAll()).values().filter(concerns)
    const shown = configs.map(({ service, environment, version }) => ({ service, environment, version }))
    return { event: 'snapshot', data: jsonInParts(empty, shown) }
  }

  #readAll(): ReturnType<typeof readConfigs> {
    const until = this.#changes.end
    if (this.#known?.until === until) return this.#known.configs
    const known = { until, configs: readConfigs(this.#store.db) }
    this.#known = known
    known.configs.catch(() => {
      if (this.#known === known) this.#known = undefined
    })
    return known.configs
  }
}

function wireOf({ service, environment, version, keys }: ConfigChange): z.input<typeof WatchChange> {
  return { service, environment, version, keys: [...keys] }
}

function sizeOf({ keys }: ConfigChange): number {
  return keys.reduce((size, key) => size + key.length, 200)
}

/** Which configurations have a say in what a watcher asked for. */
function concernsOf({ service, environment }: Wanted): (path: ConfigPath) => boolean {
  const isOne = (wanted: string | undefined, name: string) =>
    wanted === undefined || name === wanted || name === DEFAULT
  return (path) => isOne(service, path.service) && isOne(environment, path.environment)
}
