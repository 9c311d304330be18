import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { type NatsAddress, natsAddress } from './address.ts'
import { toDriverError } from './faults.ts'
import { JetStream } from './jetstream.ts'
import { NatsLink } from './link.ts'
import { Names, type NamesOptions } from './names.ts'
import { checkServer } from './server-check.ts'
import { type Streams, streamsOf } from './streams.ts'

/** A server that can be used, and where on it a bus is. */
export interface Connected {
  readonly address: NatsAddress
  readonly link: NatsLink
  readonly manager: JetStreamManager
  readonly jetStream: JetStream
  readonly streams: Streams
}

/** Connects to what a URL names. Rejects with DriverError, see BusDriver. */
export async function connectTo(url: string): Promise<Connected> {
  const address = natsAddress(url)
  const link = await NatsLink.open(address)
  try {
    const manager = await jetstreamManager(link.connection, { checkAPI: false })
    await checkServer(link, manager, address)
    return {
      address,
      link,
      manager,
      jetStream: await JetStream.by(link, address.replicas),
      streams: streamsOf(address.name),
    }
  } catch (fault) {
    await link.close()
    throw toDriverError(fault)
  }
}

/** The names of a bus on which no broker runs: nobody is to be told what changes. */
export function namesUntold(options: Pick<NamesOptions, 'jetStream' | 'streams' | 'writer'>): Names {
  return new Names({ ...options, news: { namesChanged: () => {} }, changed: () => {} })
}
