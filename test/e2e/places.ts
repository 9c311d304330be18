import { startNats } from '../servers/nats.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'
import { startRedis } from '../servers/redis.ts'

/** Where a platform keeps what it has: settings for it, and what is to be stopped behind it. */
export interface Place extends AsyncDisposable {
  readonly platform: Readonly<Record<string, string>>
}

/** What a test runs on in turn: the embedded stores, and one server each where those are installed. */
export const PLACES: readonly { readonly on: string; readonly isHere: boolean; open(): Promise<Place> }[] = [
  { on: 'embedded stores', isHere: true, open: async () => ({ platform: {}, [Symbol.asyncDispose]: async () => {} }) },
  {
    on: 'PostgreSQL, NATS and Redis',
    isHere: isHere('postgres', 'nats-server', 'redis-server'),
    async open() {
      await using servers = new AsyncDisposableStack()
      const [store, bus, cache] = [
        servers.use(await startPostgres({ config: UNSYNCED })),
        servers.use(await startNats()),
        servers.use(await startRedis()),
      ]
      const running = servers.move()
      return {
        platform: { store: store.url, bus: bus.url, cache: cache.url },
        [Symbol.asyncDispose]: () => running.disposeAsync(),
      }
    },
  },
]
