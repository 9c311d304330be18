import {
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import type { NatsAddress } from './address.ts'
import { isNoStream } from './faults.ts'
import { tooManyReplicas } from './server-check.ts'

/** How long a write that is sent again after a break is known, where ids serve only for that. */
const RETRY_WINDOW_MS = 120_000
const FILLED_BY = 'filled by '
/**
 * What the streams hold, as this program writes it: goes up when a version before could take it for something else. Two versions are side by side while they are replaced
 * one by one, so what is new is written no sooner than a version after the one that reads it.
 */
const STREAMS_FORMAT = 1

/** The names of a bus's streams, and the subjects in them. */
export interface Streams {
  /** All that was published: each topic under a subject of its own, and what waits for its time under another, so that ids are unique among both. */
  readonly messages: string
  /** Which topics and subscriptions there are. */
  readonly names: string
  /** What each subscription has handed out, as a journal; and the content of dead letters that are back in one. */
  readonly leases: string
  readonly dead: string
  /** Begins all subjects. */
  readonly prefix: string
}

/** The streams of a bus's name. */
export function streamsOf(name: string): Streams {
  return {
    messages: `${name}-messages`,
    names: `${name}-names`,
    leases: `${name}-leases`,
    dead: `${name}-dead`,
    prefix: name,
  }
}

/** The subject of a topic's or a pattern's messages. */
export function messageSubject({ prefix }: Streams, topic: string): string {
  return `${prefix}.m.${topic}`
}

/** The subject of what waits for its time. */
export function laterSubject({ prefix }: Pick<Streams, 'prefix'>): string {
  return `${prefix}.later`
}

/** The topic whose messages have a subject. */
export function topicOf({ prefix }: Streams, subject: string): string {
  return subject.slice(prefix.length + 3)
}

/**
 * Makes the streams that aren't there, and gives those that are the replicas and the window that the address asks for. Rejects with what JetStream says, or
 * DriverError `invalid` where it can't have that many replicas, or a newer version has written what this one can't read: then nothing is changed.
 * @param mark says who fills the bus, see `fillingMark`. Default: nobody does (any more)
 */
export async function makeStreams(
  manager: JetStreamManager,
  streams: Streams,
  address: NatsAddress,
  mark: string = '',
): Promise<void> {
  await refuseNewer(manager, streams)
  for (const config of configsOf(streams, address, mark)) await make(manager, config, address)
}

/** What the stream of messages has as its description while a run fills the bus. */
export function fillingMark(run: string): string {
  return `${FILLED_BY}${run}`
}

/** The run that fills a bus, by the description of its stream of messages; undefined for none. */
export function filledBy({ description = '' }: Pick<StreamConfig, 'description'>): string | undefined {
  return description.startsWith(FILLED_BY) ? description.slice(FILLED_BY.length) : undefined
}

/** What of a stream may be changed afterwards. */
type Changeable = Pick<StreamConfig, 'num_replicas' | 'duplicate_window'> & { readonly description: string }
type Config = Partial<StreamConfig> & Changeable & { readonly name: string }

function configsOf({ prefix, ...streams }: Streams, { replicas, dedupMs }: NatsAddress, mark: string): Config[] {
  const base = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    // a stream that is full says so, and drops nothing
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    allow_direct: true,
    duplicate_window: nanos(RETRY_WINDOW_MS),
    description: '',
  }
  const newestOnly = { ...base, max_msgs_per_subject: 1, discard: DiscardPolicy.Old }
  return [
    {
      ...base,
      name: streams.messages,
      subjects: [`${prefix}.m.>`, laterSubject({ prefix })],
      duplicate_window: nanos(dedupMs),
      description: mark,
    },
    {
      ...newestOnly,
      name: streams.names,
      subjects: [`${prefix}.topic.>`, `${prefix}.subscription.*`],
      description: `format ${STREAMS_FORMAT}`,
    },
    { ...base, name: streams.leases, subjects: [`${prefix}.lease.*`, `${prefix}.again.*.*`] },
    { ...base, name: streams.dead, subjects: [`${prefix}.dead.*.*`] },
  ]
}

/** The stream of names says the format of all. */
async function refuseNewer(manager: JetStreamManager, { names }: Streams): Promise<void> {
  const info = await manager.streams.info(names).catch((fault: unknown) => {
    if (isNoStream(fault)) return undefined
    throw fault
  })
  const format = Number(/^format (\d+)$/.exec(info?.config.description ?? '')?.[1] ?? STREAMS_FORMAT)
  if (format <= STREAMS_FORMAT) return
  const what = `its streams are of format ${format}, and this program knows ${STREAMS_FORMAT}`
  throw new DriverError(
    'invalid',
    `bus: a newer version has written it (${what}, stream ${names}); run that one, or choose another name behind the server's address`,
  )
}

async function make(manager: JetStreamManager, wanted: Config, { replicas }: NatsAddress): Promise<void> {
  try {
    const { config } = await manager.streams.info(wanted.name)
    const { num_replicas, duplicate_window, description } = wanted
    const isSame = config.num_replicas === num_replicas && config.duplicate_window === duplicate_window
    if (isSame && (config.description ?? '') === description) return
    await manager.streams.update(wanted.name, { num_replicas, duplicate_window, description })
  } catch (fault) {
    if (!isNoStream(fault)) throw replicasOr(fault, replicas)
    await manager.streams.add(wanted).catch((cause: unknown) => {
      throw replicasOr(cause, replicas)
    })
  }
}

function replicasOr(fault: unknown, replicas: number): unknown {
  const text = String(fault)
  if (replicas === 1 || !/replicas|peers|clustered/i.test(text)) return fault
  // nats-server says why it finds no servers for a stream (selectPeerError, server/jetstream_cluster.go)
  if (/peer offline/i.test(text)) {
    const message = `bus: to make a stream of ${replicas} replicas takes ${replicas} servers of NATS, and one is away: start it; once it is made, most of them are enough`
    return new DriverError('unavailable', message, { cause: fault })
  }
  if (/insufficient storage/i.test(text)) {
    const message = `bus: fewer than ${replicas} servers of NATS have room: free some, or raise max_file_store`
    return new DriverError('full', message, { cause: fault })
  }
  return tooManyReplicas(replicas, fault)
}
