import type { BusAdministration } from '../../drivers/bus/administration.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { runInScope } from '../../kit/telemetry/scope.ts'
import { readTraceContext } from '../../kit/telemetry/trace-context.ts'
import type { Tracing } from '../../kit/telemetry/tracing.ts'
import { eventId } from './event-identity.ts'

/** What dead letters are told with. */
export interface DeadLetterLogOptions {
  readonly bus: Pick<BusAdministration, 'watchDeadLetters'>
  readonly tracing: Tracing
  readonly log: Pick<Log, 'error'>
}

/** Leaves an entry, and a failed span, in the trace of every message that becomes a dead letter: nobody handles it until somebody looks. */
export function logDeadLetters({ bus, tracing, log }: DeadLetterLogOptions): void {
  bus.watchDeadLetters((letter) => {
    const { topic, group, subscription, deliveries, reason } = letter
    const id = eventId(letter)
    const span = tracing.start(`bury ${topic}`, {
      kind: 'internal',
      parent: readTraceContext(letter.attributes) ?? null,
      attributes: { 'messaging.system': 'msvc', 'messaging.destination.name': topic, 'messaging.message.id': id },
    })
    runInScope({ span, requestId: id }, () =>
      log.error(`A message on ${topic} is a dead letter of ${group ?? subscription}: ${reason}`, {
        message_id: id,
        subscription,
        deliveries,
      }),
    )
    span.end({ failed: true, message: reason })
  })
}
