import type { RunningBroker } from './running-broker.ts'

/** Subscribes; gives the subscription's id. */
export async function subscribe(broker: RunningBroker, spec: object): Promise<string> {
  return (await broker.call('POST', '/broker/subscriptions', spec)).body.id
}

/** Pulls; gives the messages. */
export async function pull(broker: RunningBroker, id: string, query = 'max=100') {
  return (await broker.call('POST', `/broker/subscriptions/${id}/pull?${query}`)).body.messages
}

/** Acknowledges deliveries or gives them back. */
export function settle(broker: RunningBroker, id: string, verb: 'ack' | 'nack', body: object) {
  return broker.call('POST', `/broker/subscriptions/${id}/${verb}`, body)
}
