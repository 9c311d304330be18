import type { DeadLetter, DelayedMessage } from '../../drivers/bus/administration.ts'
import type { Delivery } from '../../drivers/bus/consumer.ts'
import type { Publication, StoredMessage } from '../../drivers/bus/publisher.ts'
import type { ReadMessage } from '../../drivers/bus/reader.ts'
import { eventId } from './event-identity.ts'

/** Headers of an answer that is put together as text. */
export const JSON_HEADERS = { 'content-type': 'application/json' }

// Payloads are JSON text already: putting them in place as they are keeps them to the letter and saves parsing them.

/** A message as JSON text (contract.ts, Message). */
export function messageJson(message: ReadMessage): string {
  return `{${members(message)},"cursor":"${message.cursor}"}`
}

/** A delivery as JSON text (contract.ts, Delivery). */
export function deliveryJson(delivery: Delivery): string {
  return `{${members(delivery)},"delivery":${delivery.delivery},"ack":${JSON.stringify(delivery.ack)}}`
}

/** A dead letter as JSON text (contract.ts, DeadLetter). */
export function deadLetterJson(letter: DeadLetter): string {
  const { subscription, deliveries, reason } = letter
  return `{${members(letter)},${JSON.stringify({ subscription, deliveries, reason }).slice(1)}`
}

/** A message that waits as JSON text (contract.ts, DelayedMessage). */
export function delayedJson(message: DelayedMessage): string {
  const time = new Date(message.deliverAt).toISOString()
  return `{${content(message)},"deliver_at":"${time}","attributes":${JSON.stringify(message.attributes)}}`
}

function members(message: StoredMessage): string {
  const { timestamp, offset, attributes } = message
  const time = new Date(timestamp).toISOString()
  return `${content(message)},"timestamp":"${time}","offset":${offset},"attributes":${JSON.stringify(attributes)}`
}

function content(message: Publication): string {
  return `"id":${JSON.stringify(eventId(message))},"topic":${JSON.stringify(message.topic)}${data(message)}`
}

function data({ form, payload }: Publication): string {
  if (form === undefined) return `,"payload":${payload}`
  return form === 'bytes' ? `,"payload_base64":${payload}` : ''
}
