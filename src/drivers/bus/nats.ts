import type { BusDriver } from './contract.ts'
import { natsAddress } from './nats/address.ts'
import { readNats } from './nats/bus-snapshot.ts'
import { fillNats } from './nats/filled-bus.ts'
import { checkNatsSizes } from './nats/filled-size.ts'
import { NatsBus } from './nats/nats-bus.ts'

/**
 * The durable bus on NATS JetStream, which any number of brokers share: `nats://user:password@a:4222,b:4222/name?replicas=3`, see `natsAddress`.
 * @param random from 0 to 1: spreads the delays of messages given back. Default: `Math.random`
 */
export function natsDriver(scheme: 'nats:' | 'tls:', random: () => number = Math.random): BusDriver {
  return {
    scheme,
    checkUrl(url) {
      natsAddress(url)
    },
    open: (options) => NatsBus.open(options, random),
    snapshot: (place) => readNats(place),
    fill: (place, run) => fillNats(place, run),
    checkSizes: ({ url }, messages) => checkNatsSizes(url, messages),
  }
}

/** The driver for `nats://`. */
export const nats: BusDriver = natsDriver('nats:')
/** The driver for `tls://`: the same, with the connection encrypted. */
export const natsOverTls: BusDriver = natsDriver('tls:')
