import { hideInText } from '../../../kit/secrets/secret-text.ts'
import { hideSecrets } from '../../../kit/secrets/secret-values.ts'
import { levelOf } from '../../../kit/telemetry/level-names.ts'
import type { Level } from '../../../kit/telemetry/log.ts'
import type { Value } from '../attribute-value.ts'
import { MAX_DETAILS, MAX_TEXT } from '../contract.ts'
import type { LogDetails, LogRecord } from '../log-record.ts'
import { type Adopted, hideAttributes, present } from './adopting.ts'
import { idShown, isSpanId, isTraceId, NO_ID } from './ids.ts'
import type { OtlpLogRecord } from './messages.ts'

/** SeverityNumber in fours: TRACE, DEBUG, INFO, WARN, ERROR, FATAL (https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber). */
const LEVELS_BY_FOUR = ['DEBUG', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const

/** A log record of OTLP as an entry of ours, its secrets hidden. A text says why it isn't taken. */
export function adoptLogRecord(record: OtlpLogRecord, { service, instance, origin }: Adopted): LogRecord | string {
  const { traceId, spanId, eventName, time, observedTime } = record
  if (!isTraceId(traceId) && !NO_ID.test(traceId))
    return `its trace id is ${idShown(traceId)}: 32 hexadecimal digits are wanted`
  if (!isSpanId(spanId) && !NO_ID.test(spanId))
    return `its span id is ${idShown(spanId)}: 16 hexadecimal digits are wanted`
  const body = hideSecrets(record.body) as Value | undefined
  const message = messageOf(body, eventName)
  if (message.length > MAX_TEXT) return `its body has more than ${MAX_TEXT} characters`
  const metadata = hideAttributes(record.attributes)
  if (JSON.stringify(metadata).length > MAX_TEXT) return `its attributes have more than ${MAX_TEXT} characters as JSON`
  const details = detailsOf(record, body)
  if (JSON.stringify(details).length > MAX_DETAILS) return `it has more than ${MAX_DETAILS} characters as JSON`
  const at = time || observedTime
  return {
    timestamp: at === 0n ? null : Number(at) / 1e6,
    level: levelOfSeverity(record.severityNumber, record.severityText),
    service,
    instance,
    message,
    trace_id: NO_ID.test(traceId) ? null : traceId,
    span_id: NO_ID.test(spanId) ? null : spanId,
    ...(Object.keys(metadata).length > 0 && { metadata }),
    details,
    origin,
  }
}

/** What people read: a body that is text as it is, any other one as JSON, and of a record without one the name of its event. */
function messageOf(body: Value | undefined, eventName: string): string {
  if (body === undefined) return hideInText(eventName)
  return typeof body === 'string' ? body : JSON.stringify(body)
}

function detailsOf(record: OtlpLogRecord, body: Value | undefined): LogDetails {
  const { time, observedTime, severityNumber, severityText, eventName, flags, droppedAttributes } = record
  return {
    ...present({
      time_unix_nano: time === 0n ? '' : String(time),
      observed_time_unix_nano: observedTime === 0n ? '' : String(observedTime),
      severity_number: severityNumber,
      severity_text: hideInText(severityText),
      event_name: hideInText(eventName),
      flags,
      dropped_attributes_count: droppedAttributes,
    }),
    ...(typeof body !== 'string' && { body: body ?? null }),
  }
}

function levelOfSeverity(number: number, text: string): Level {
  return LEVELS_BY_FOUR[Math.ceil(number / 4) - 1] ?? levelOf(text) ?? 'INFO'
}
