import { type Login, parseRedisUrl } from '../../drivers/cache/redis/address.ts'
import { withoutPassword } from '../secrets/address-text.ts'

/** How a server keeps what a platform has on it, and how it is backed up. */
export interface ServerTool {
  /** What it is to the platform. */
  readonly backend: 'store' | 'bus' | 'cache'
  /** Its address, without a password. */
  readonly url: string
  /** Command lines, each whole. */
  readonly commands: readonly string[]
}

/** The addresses of a platform's backends. */
export interface Backends {
  readonly store: string
  readonly bus: string
  readonly cache: string
}

/**
 * Which of a platform's backends are servers, with the commands of their own tools: what a server holds it alone can copy as of one instant.
 * A password in an address is never shown: the tools take it from PGPASSWORD or ~/.pgpass, REDISCLI_AUTH (for Sentinels SENTINEL_AUTH, a name of ours), and a nats context.
 */
export function serverTools({ store, bus, cache }: Backends): readonly ServerTool[] {
  return [
    ...tool('store', store, { 'postgres:': postgresCommands, 'postgresql:': postgresCommands }),
    ...tool('bus', bus, { 'nats:': natsCommands, 'tls:': natsCommands }),
    ...tool('cache', cache, {
      'redis:': redisCommands,
      'rediss:': redisCommands,
      'redis+sentinel:': sentinelCommands,
      'rediss+sentinel:': sentinelCommands,
      'redis+cluster:': clusterCommands,
      'rediss+cluster:': clusterCommands,
    }),
  ]
}

/** By an address, without its password and as it is. */
type Commands = Readonly<Record<string, (url: string, address: string) => readonly string[]>>

function tool(backend: ServerTool['backend'], address: string, commandsOf: Commands): readonly ServerTool[] {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(address)?.[0].toLowerCase() ?? ''
  const url = withoutPassword(address)
  const commands = commandsOf[scheme]?.(url, address)
  return commands === undefined ? [] : [{ backend, url, commands }]
}

/** One with `{service}` in it stands for a database a service: https://www.postgresql.org/docs/15/app-pg-dumpall.html takes them all. */
function postgresCommands(url: string): readonly string[] {
  const cluster = url.replace(/^([a-z]+:\/\/[^/]*)\/[^?]*/, '$1/postgres')
  const dump = url.includes('{service}')
    ? `pg_dumpall --clean --if-exists --dbname=${quoted(cluster)} --file=msvc.sql`
    : `pg_dump --format=custom --dbname=${quoted(url)} --file=msvc.dump`
  return [dump, `pg_basebackup --dbname=${quoted(cluster)} --pgdata=msvc-base --wal-method=stream --checkpoint=fast`]
}

/** https://docs.nats.io/running-a-nats-service/nats_admin/jetstream_admin/disaster_recovery */
function natsCommands(url: string): readonly string[] {
  return [`nats --server ${quoted(url)} account backup --consumers ./msvc-streams`]
}

/** https://redis.io/docs/latest/operate/oss_and_stack/management/persistence */
function redisCommands(url: string): readonly string[] {
  return [`redis-cli -u ${quoted(url)} BGSAVE`, `redis-cli -u ${quoted(url)} --rdb msvc.rdb`]
}

/** Only a Sentinel knows which server counts: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ */
function sentinelCommands(_: string, address: string): readonly string[] {
  const { nodes, master, login, sentinelLogin, tls } = parseRedisUrl(address)
  const [{ host, port }] = nodes
  const ask = `redis-cli ${optionsOf(sentinelLogin, tls)}-h ${quoted(host)} -p ${port} SENTINEL get-master-addr-by-name ${quoted(master)}`
  const password = sentinelLogin.password === undefined ? '-u REDISCLI_AUTH' : 'REDISCLI_AUTH="$SENTINEL_AUTH"'
  const serverOf = `set -- $(env ${password} ${ask})`
  return ['BGSAVE', '--rdb msvc.rdb'].map(
    (what) => `${serverOf} && redis-cli ${optionsOf(login, tls)}-h "$1" -p "$2" ${what}`,
  )
}

/** Of each primary a file; any node knows them all. */
function clusterCommands(_: string, address: string): readonly string[] {
  const { nodes, login, tls } = parseRedisUrl(address)
  const [{ host, port }] = nodes
  return [
    `mkdir msvc-redis && redis-cli ${optionsOf(login, tls)}--cluster backup ${quoted(`${host}:${port}`)} msvc-redis`,
  ]
}

/** What redis-cli is told by options where no URL says it. */
function optionsOf({ username }: Login, tls: boolean): string {
  return `${tls ? '--tls ' : ''}${username === undefined ? '' : `--user ${quoted(username)} `}`
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
