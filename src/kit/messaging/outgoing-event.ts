import { randomUUIDv7 } from 'node:crypto'
import type { Clock } from '../../drivers/clock.ts'
import { AppError, messageOf } from '../errors.ts'
import { parseJsonText } from '../http/body.ts'
import { currentScope } from '../telemetry/scope.ts'
import { writeTraceContext } from '../telemetry/trace-context.ts'
import { checkTopicName } from '../topic-name.ts'
import { authContext } from './auth-context.ts'
import { toStructured } from './cloud-event.ts'
import type { OutgoingEvent } from './messaging.ts'

/** Largest event in characters: a message tells what happened and carries no files. Amazon SQS and SNS draw the line at the same 256 KiB. */
const MAX_EVENT_CHARACTERS = 262_144

/** An event ready to be sent. */
export interface EncodedEvent {
  readonly id: string
  readonly topic: string
  /** The CloudEvent as JSON text on one line. */
  readonly text: string
}

/**
 * Completes an event (id, source, time, the current scope's trace and person) and encodes it as a structured CloudEvent.
 * Throws AppError `INVALID_REQUEST` for a bad topic and `UNPROCESSABLE` for data that the broker would refuse: an event that can't be
 * delivered must fail where it is made, not block those behind it.
 */
export function encodeOutgoing(event: OutgoingEvent, service: string, clock: Clock): EncodedEvent {
  const { id = randomUUIDv7(), type, data, key } = event
  const scope = currentScope()
  const attributes = {
    source: `/${service}`,
    type: checkTopicName(type),
    time: new Date(clock.now()).toISOString(),
    ...(key !== undefined && { partitionkey: key }),
    ...(scope && { ...writeTraceContext(scope.span), ...authContext(scope.asker) }),
  }
  const text = JSON.stringify(toStructured({ id, attributes, data: data ?? null }))
  if (text.length > MAX_EVENT_CHARACTERS) {
    throw new AppError('UNPROCESSABLE', `An event of ${type} is larger than ${MAX_EVENT_CHARACTERS} characters`)
  }
  try {
    parseJsonText(text)
  } catch (cause) {
    throw new AppError('UNPROCESSABLE', `An event of ${type} can't be published: ${messageOf(cause)}`, { cause })
  }
  return { id, topic: type, text }
}
