import type * as z from 'zod'
import type { Store } from '../../drivers/store/contract.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { type ConfigTables, listConfigs } from './config-rows.ts'
import type { ConfigChange, Configs } from './configs.ts'
import type { ConfigPath, WatchChange, WatchSnapshot } from './contract.ts'
import { layersOf, nameOf } from './documents.ts'

/** What is watched: a service's configurations, an environment's, one configuration, or all of them. */
type Wanted = { readonly [K in keyof ConfigPath]?: string | undefined }

/** Writes the versions that are, then each change, to a stream until it is over. Values are not among what is told. */
export async function sendChanges(
  events: EventStream,
  { configs, store }: { readonly configs: Configs; readonly store: Store<ConfigTables> },
  wanted: Wanted,
): Promise<void> {
  const concerns = concernsOf(wanted)
  const send = (event: string, data: z.input<typeof WatchSnapshot> | z.input<typeof WatchChange>) =>
    events.send({ event, data: JSON.stringify(data) })
  // listening first: a change while the rows are read is told twice rather than never
  const waiting: ConfigChange[] = []
  let tell = (change: ConfigChange) => void waiting.push(change)
  const stop = configs.onChange((change) => {
    if (concerns(change)) tell(change)
  })
  try {
    const rows = (await listConfigs(store.db)).filter(concerns)
    send('snapshot', {
      configs: rows.map(({ service, environment, version }) => ({ service, environment, version })),
    })
    tell = (change) => void send('change', { ...change, keys: [...change.keys] })
    for (const change of waiting) tell(change)
    await events.over
  } finally {
    stop()
  }
}

/** Which configurations have a say in what a watcher asked for. */
function concernsOf({ service, environment }: Wanted): (path: ConfigPath) => boolean {
  return (path) =>
    layersOf({ service: service ?? path.service, environment: environment ?? path.environment }).some(
      (layer) => nameOf(layer) === nameOf(path),
    )
}
