import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import type { RedisAddress } from './address.ts'
import { wantsReconnect } from './faults.ts'

/** How long a server is waited for, milliseconds. */
export interface RedisTimes {
  /** A connection may take so long to be made. */
  readonly connectMs: number
  /** A command may take so long; who is in a hurry waits less. */
  readonly commandMs: number
  /** Silence while an answer is due, after which a connection counts as dead and is made anew. */
  readonly silenceMs: number
  /** Its first word may take so long, until it counts as away for the time being. */
  readonly firstWordMs: number
}

/** Of a server that others wait for. */
export const TIMES: RedisTimes = { connectMs: 2_000, commandMs: 1_000, silenceMs: 1_500, firstWordMs: 1_000 }

/** Pause before a new try to connect, milliseconds: doubled up to the longest, so that a server is found again a second after it is back. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000
/** How long a server may take to close its side of a connection, milliseconds. */
const CLOSE_MS = 200
/** How many nodes of a cluster a command may be sent on to. */
const MAX_REDIRECTIONS = 4

/** What Redis says of a password that it doesn't want, before version 6 and from then on. */
const NEEDLESS = /no password is set|without any password configured for the default user/

/** Milliseconds to wait before a new try. @param failures in a row, from 1 @param random uniform in [0, 1) */
export function pauseAfter(failures: number, random: () => number): number {
  return Math.round(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10)) * (0.5 + random() / 2))
}

/**
 * Makes a client that isn't connected yet, and from then on connects again by itself. It keeps nothing waiting: what is asked while there is no
 * connection fails at once, as does what was under way when it broke, and nothing is sent twice.
 * @param options.onNeedlessPassword told when the server is given a password that it doesn't want; it lets us in all the same
 */
export function createClient(
  address: RedisAddress,
  options: { readonly random: () => number; readonly onNeedlessPassword: () => void; readonly times: RedisTimes },
): Redis | Cluster {
  const { random, onNeedlessPassword } = options
  const { connectMs, commandMs, silenceMs } = options.times
  const { at, nodes, login, database, master, sentinelLogin, tls } = address
  const pause = (times: number) => pauseAfter(times, random)
  const common = {
    ...login,
    ...(tls && { tls: {} }),
    connectTimeout: connectMs,
    commandTimeout: commandMs,
    socketTimeout: silenceMs,
    disconnectTimeout: CLOSE_MS,
    enableReadyCheck: false, // INFO is refused to many users; a server that is still loading says so to every command
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: wantsReconnect,
    disableClientInfo: true, // unknown before Redis 7.2
    protocol: 2,
    connectionName: 'msvc',
  } satisfies CommonRedisOptions & { disconnectTimeout: number; tls?: object }
  if (at === 'cluster') {
    const cluster = new Cluster([...nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: pause,
      maxRedirections: MAX_REDIRECTIONS,
      redisOptions: common,
      // certificates name hosts, not addresses
      ...(tls && { dnsLookup: (host, done) => done(null, host) }),
    })
    cluster.on('+node', (node: Redis) => tellNeedlessPassword(node, onNeedlessPassword))
    return cluster
  }
  const single = { ...common, db: database, lazyConnect: true, enableOfflineQueue: false, retryStrategy: pause }
  if (at === 'server') return tellNeedlessPassword(new Redis({ ...single, ...nodes[0] }), onNeedlessPassword)
  const client = new Redis({
    ...single,
    sentinels: [...nodes],
    name: master,
    sentinelRetryStrategy: pause,
    sentinelCommandTimeout: commandMs,
    ...(sentinelLogin.username !== undefined && { sentinelUsername: sentinelLogin.username }),
    ...(sentinelLogin.password !== undefined && { sentinelPassword: sentinelLogin.password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
  })
  return tellNeedlessPassword(client, onNeedlessPassword)
}

const plainAuth = Redis.prototype.auth
/** Who is told, by client; those that ioredis makes by itself, such as a cluster's for subscriptions, tell nobody. */
const listeners = new WeakMap<Redis, () => void>()

/** Has a server that wants no password, and is given one, tell us. @param login all that there is to say, as one */
async function tellingAuth(this: Redis, login: string): Promise<void> {
  try {
    await Reflect.apply(plainAuth, this, [login])
  } catch (cause) {
    if (!NEEDLESS.test(String(cause))) throw cause
    listeners.get(this)?.()
  }
}

/** ioredis writes on the console what such a server says, of clients too that it makes by itself: so the class is what changes. */
function tellNeedlessPassword(client: Redis, tell: () => void): Redis {
  Object.defineProperty(Redis.prototype, 'auth', { value: tellingAuth, configurable: true, writable: true })
  listeners.set(client, tell)
  return client
}
