import type { Clock } from '../clock.ts'
import type { DriverError } from '../driver-error.ts'
import type { BusAdministration } from './administration.ts'
import type { BusConsumer } from './consumer.ts'
import type { BusPublisher, Publication } from './publisher.ts'
import type { BusReader } from './reader.ts'
import type { BusFilling, BusSnapshot } from './transfer.ts'

/**
 * Durable topics, at least once. Every driver passes test/drivers/bus-suite.ts. Several brokers may have the same bus open where its driver says so; the
 * embedded one belongs to one process. Methods reject with DriverError: `full` below the free-disk floor, `too-many`, `not-found` for an unknown
 * subscription, `unavailable`, `closed`.
 */
export interface Bus extends BusPublisher, BusConsumer, BusReader, BusAdministration {
  /**
   * Resolves with why the bus must be opened anew: its file turned out to be damaged, or another lies in its place. From then on nothing is
   * written, and `check` fails. Never for one that is no file.
   */
  readonly unsound: Promise<DriverError>
  /** What an operator should know of the server behind it, a line each, for the log at start. */
  readonly notes: readonly string[]
  /** Resolves when the bus can be read before `signal` fires; for health. */
  check(signal: AbortSignal): Promise<void>
  /** Resolves when the bus takes messages, as it did at most 1 s ago; for health. */
  checkWrites(): Promise<void>
  /** Finishes what was asked for, ends the waiting pulls, refuses what comes (`closed`). May be called twice. */
  close(): Promise<void>
}

/** How much a bus keeps. */
export interface BusLimits {
  /** Topics beyond which a message for a new one is refused (`too-many`). Default 10 000. */
  readonly maxTopics?: number
  /** Of these, how many one owner may make; one more is refused (`too-many`). Default: all. */
  readonly maxTopicsPerOwner?: number
  /** Topics that there is a place for beyond `maxTopics`. Default none. */
  readonly reservedTopics?: readonly string[]
  /** Subscriptions beyond which a new one is refused (`too-many`). Default 1 000. */
  readonly maxSubscriptions?: number
  /** Of these, how many one owner may have; one more is refused (`too-many`). Default: all. */
  readonly maxSubscriptionsPerOwner?: number
  /**
   * Messages that may wait for their time beyond which one more is refused (`too-many`); those that a move brought wait beside. Several brokers of a bus that
   * publish at the same moment may each take their last one. Default 100 000.
   */
  readonly maxDelayed?: number
}

/** What a bus needs to open. */
export interface BusOptions extends BusLimits {
  /** `embedded:`, or a server's URL such as `nats://host:4222`. */
  readonly url: string
  /** Where an embedded bus keeps its file. Made (0700) when missing. */
  readonly folder: string
  /** What the bus tells time by. */
  readonly clock: Clock
  /** Publishing is refused (`full`) while the disk has fewer free bytes. Default 50 MB. */
  readonly minFreeBytes?: number
  /** Messages kept per topic after everyone has acknowledged them, for `first` and replay. Default 100 000. */
  readonly keepMessages?: number
}

/** Where a bus is, for who moves what it holds. */
export type BusPlace = Pick<BusOptions, 'url' | 'folder' | 'clock'>

/** Opens buses of one URL scheme. */
export interface BusDriver {
  /** With its colon, lower case: `embedded:`. */
  readonly scheme: string
  /** Throws DriverError `invalid` for a URL that can't be used; asks nobody. */
  checkUrl(url: string): void
  /** Reads a bus that is there, on which no broker runs, and changes nothing about it; undefined where none was made yet. Rejects as `open` does. */
  snapshot(place: BusPlace): Promise<BusSnapshot | undefined>
  /**
   * Makes a bus, or goes on with one that the same run began, to be filled with what another holds. Rejects as `open` does, with `unavailable` where a broker
   * runs on it, and with `conflict` where it holds anything that isn't of this run; nothing is changed then.
   * @param run names the run for good
   */
  fill(place: BusPlace, run: string): Promise<BusFilling>
  /**
   * Resolves where a bus at this place could be filled with these messages; makes nothing. Rejects with DriverError `too-large`, which names the first that
   * it could not, and as `open` does.
   */
  checkSizes(place: BusPlace, messages: readonly Publication[]): Promise<void>
  /** One that was being filled is one like any other then. Rejects with DriverError: `invalid` for a wrong URL or a newer version's file, `damaged`, `unavailable`, `full`. */
  open(options: BusOptions): Promise<Bus>
}
