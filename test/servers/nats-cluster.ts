import { setTimeout as sleep } from 'node:timers/promises'
import { type JetStreamManager, jetstreamManager, StorageType, type StreamInfo } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { type NatsServer, startNats } from './nats.ts'
import { freePort } from './server.ts'

/** NATS servers of a test's own that are one JetStream cluster; each can be killed and started by itself. */
export interface NatsCluster extends AsyncDisposable {
  /** By the names that the servers give themselves: `n1` and so on. */
  readonly servers: ReadonlyMap<string, NatsServer>
  /** Names all of them: `nats://127.0.0.1:…,127.0.0.1:…`. */
  readonly url: string
  /** The server that leads a stream, by its name. */
  leaderOf(stream: string): Promise<string>
  /** Resolves once the cluster has a leader, and each of these streams has one. */
  elected(streams: readonly string[]): Promise<void>
  /** Resolves once each replica of these streams has what its leader has: the next server may be killed. */
  caughtUp(streams: readonly string[]): Promise<void>
}

const READY_MS = 30_000
const LOOK_MS = 100
/** How long a cluster without a leader is waited for with each look, in milliseconds. */
const ANSWER_MS = 500

/** Starts a cluster; resolves once a stream can have a replica on each of its servers. @param size how many servers. Default 3 */
export async function startNatsCluster(size = 3): Promise<NatsCluster> {
  const names = Array.from({ length: size }, (_, at) => `n${at + 1}`)
  const ports = await Promise.all(names.map(() => freePort()))
  const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`).join(', ')
  const started = await Promise.allSettled(
    names.map((name, at) =>
      startNats({
        config: `server_name: ${name}\ncluster { name: test, listen: "127.0.0.1:${ports[at]}", routes: [${routes}] }`,
      }),
    ),
  )
  const servers = new Map<string, NatsServer>()
  for (const [at, one] of started.entries()) if (one.status === 'fulfilled') servers.set(names[at] ?? '', one.value)
  const stop = async () => {
    await Promise.all([...servers.values()].map((server) => server[Symbol.asyncDispose]()))
  }
  const listens = [...servers.values()].map(({ port }) => `127.0.0.1:${port}`)
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason
    await ready(listens, size)
  } catch (fault) {
    await stop()
    throw fault
  }
  const asking = async <T>(ask: (manager: JetStreamManager) => Promise<T>, timeout?: number) => {
    const connection = await connect({ servers: listens, maxReconnectAttempts: -1, reconnectTimeWait: LOOK_MS })
    try {
      return await ask(await jetstreamManager(connection, { checkAPI: false, ...(timeout && { timeout }) }))
    } finally {
      await connection.close()
    }
  }
  /** Looks at each stream until it was as wanted once, by what the cluster's leader and its own say: under load no two need be so in the same moment. */
  const until = (streams: readonly string[], isSo: (stream: StreamInfo) => boolean) =>
    asking(async (manager) => {
      const last = Date.now() + READY_MS
      const isReady = async (stream: string) => {
        // the cluster's leader alone answers that
        await manager.getAccountInfo()
        return isSo(await manager.streams.info(stream))
      }
      const wait = async (stream: string) => {
        while (!(await isReady(stream).catch(() => false))) {
          if (Date.now() > last) throw new Error(`${stream} is not as it should be after ${READY_MS} ms`)
          await sleep(LOOK_MS)
        }
      }
      await Promise.all(streams.map(wait))
    }, ANSWER_MS)
  return {
    servers,
    url: `nats://${listens.join(',')}`,
    leaderOf: (stream) => asking(async ({ streams }) => (await streams.info(stream)).cluster?.leader ?? ''),
    elected: (streams) => until(streams, hasLeader),
    caughtUp: (streams) => until(streams, (stream) => hasLeader(stream) && isEverywhere(stream, size)),
    [Symbol.asyncDispose]: stop,
  }
}

function hasLeader({ cluster }: StreamInfo): boolean {
  return Boolean(cluster?.leader)
}

function isEverywhere({ cluster }: StreamInfo, size: number): boolean {
  const { replicas = [] } = cluster ?? {}
  return replicas.length === size - 1 && replicas.every(({ current, offline }) => current && !offline)
}

/** Resolves once a stream was made that has a replica on each server, and is gone again. */
async function ready(listens: readonly string[], replicas: number): Promise<void> {
  const until = Date.now() + READY_MS
  const connection = await connect({ servers: [...listens] })
  try {
    const { streams } = await jetstreamManager(connection, { checkAPI: false, timeout: 1_000 })
    for (; ; await sleep(LOOK_MS)) {
      try {
        await streams.add({
          name: 'ready',
          subjects: ['ready'],
          storage: StorageType.Memory,
          num_replicas: replicas,
        })
        await streams.delete('ready')
        return
      } catch (fault) {
        if (Date.now() > until) throw new Error(`no cluster of ${replicas} after ${READY_MS} ms`, { cause: fault })
      }
    }
  } finally {
    await connection.close()
  }
}
