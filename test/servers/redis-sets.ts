import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './dialogue.ts'
import { find } from './programs.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { freePort, startServer } from './server.ts'

/** Servers that belong together, and the URL by which a client finds the one that counts. */
export interface RedisSet extends AsyncDisposable {
  readonly url: string
  readonly servers: readonly RedisServer[]
}

/** What the Sentinel of a test calls its servers. */
const MASTER = 'main'

/** Starts a primary, its replica, and a Sentinel that makes the replica primary some seconds after the primary is gone. */
export async function startSentinel(): Promise<RedisSet> {
  const path = find('redis-server')
  if (path === undefined) throw new Error('redis-server is not installed')
  await using started = new AsyncDisposableStack()
  const primary = started.use(await startRedis())
  const replica = started.use(await startRedis({ options: ['--replicaof', `127.0.0.1 ${primary.port}`] }))
  await until(async () => (await say(replica.port, 'INFO replication')).includes('master_link_status:up'))
  const folder = await mkdtemp(join(tmpdir(), 'msvc-sentinel-'))
  started.defer(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const file = join(folder, 'sentinel.conf')
  const rules = [
    `sentinel monitor ${MASTER} 127.0.0.1 ${primary.port} 1`,
    // less, and a busy machine would be taken for one that is gone
    `sentinel down-after-milliseconds ${MASTER} 5000`,
    `sentinel failover-timeout ${MASTER} 2000`,
  ]
  await writeFile(file, `bind 127.0.0.1\nport ${port}\ndir ${folder}\n${rules.join('\n')}\n`)
  const isReady = async () => {
    // it promotes only whom it knows, and asks for its replicas now and then
    if (!(await say(port, `SENTINEL replicas ${MASTER}`)).includes(String(replica.port)))
      throw new Error('no replica yet')
  }
  started.use(await startServer({ path, args: [file, '--sentinel'], isReady }))
  const stop = started.move()
  return {
    url: `redis+sentinel://127.0.0.1:${port}/${MASTER}`,
    servers: [primary, replica],
    [Symbol.asyncDispose]: () => stop.disposeAsync(),
  }
}

/** Starts a cluster of two nodes, half of the slots on each. */
export async function startCluster(): Promise<RedisSet> {
  await using started = new AsyncDisposableStack()
  const [one, otherBus] = [started.use(await startNode(await freePort())), await freePort()]
  const other = started.use(await startNode(otherBus))
  await say(one.port, 'CLUSTER ADDSLOTSRANGE 0 8191')
  await say(other.port, 'CLUSTER ADDSLOTSRANGE 8192 16383')
  await say(one.port, `CLUSTER MEET 127.0.0.1 ${other.port} ${otherBus}`)
  for (const { port } of [one, other])
    await until(async () => (await say(port, 'CLUSTER INFO')).includes('cluster_state:ok'))
  const stop = started.move()
  return {
    url: `redis+cluster://127.0.0.1:${one.port}`,
    servers: [one, other],
    [Symbol.asyncDispose]: () => stop.disposeAsync(),
  }
}

function startNode(bus: number): Promise<RedisServer> {
  return startRedis({ options: ['--cluster-enabled', 'yes', '--cluster-port', String(bus)] })
}

/** Says a command to a Redis; its answer as it came. */
export async function say(port: number, command: string): Promise<string> {
  return (await ask(port, `${command}\r\n`)).toString()
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; ; await sleep(50)) {
    if (await isSo().catch(() => false)) return
    if (Date.now() > end) throw new Error('the servers did not find each other')
  }
}
