import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager, StorageType } from '@nats-io/jetstream'
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
}

const READY_MS = 30_000
const LOOK_MS = 100

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
  return {
    servers,
    url: `nats://${listens.join(',')}`,
    async leaderOf(stream) {
      const connection = await connect({ servers: listens })
      try {
        const { cluster } = await (await jetstreamManager(connection)).streams.info(stream)
        return cluster?.leader ?? ''
      } finally {
        await connection.close()
      }
    },
    [Symbol.asyncDispose]: stop,
  }
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
