import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { AppError, ErrorStatus } from '../../../kit/errors.ts'
import type { Encoding } from './requests.ts'
import { BYTES, VARINT } from './wire-reader.ts'

/** What comes back: its body, and what it is. */
export interface OtlpAnswer {
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly type: string
}

/** Media types by encoding (OTLP specification, "OTLP/HTTP"). */
const TYPES = { protobuf: 'application/x-protobuf', json: 'application/json' } as const

/**
 * The answer to a request that was taken, as far as it could be: Export…ServiceResponse.
 * @param counted what the count of rejected items is called: `rejectedSpans`, `rejectedLogRecords`, `rejectedDataPoints`
 * @param why empty when all was taken
 */
export function exportAnswer(encoding: Encoding, counted: string, rejected: number, why: string): OtlpAnswer {
  const type = TYPES[encoding]
  const isWhole = rejected === 0 && why === ''
  if (encoding === 'json') {
    // int64 is text in protobuf's JSON
    const partialSuccess = { [counted]: String(rejected), errorMessage: why }
    return { type, body: JSON.stringify(isWhole ? {} : { partialSuccess }) }
  }
  const message = new BinaryWriter()
  if (!isWhole) {
    message.tag(1, BYTES).fork()
    message.tag(1, VARINT).int64(rejected)
    message.tag(2, BYTES).string(why)
    message.join()
  }
  return { type, body: message.finish() }
}

/** google.rpc.Code (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto) by HTTP status; INTERNAL for others. */
const RPC_CODES: Readonly<Partial<Record<ErrorStatus, number>>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  408: 4,
  413: 3,
  415: 3,
  429: 8,
  503: 14,
  507: 14,
}
const RPC_INTERNAL = 13

/** The answer to a request that failed: google.rpc.Status. What an INTERNAL error says stays in the log. */
export function statusAnswer(encoding: Encoding, error: AppError): OtlpAnswer {
  const code = RPC_CODES[error.status] ?? RPC_INTERNAL
  const message = error.code === 'INTERNAL' ? 'Internal error' : error.detail
  const type = TYPES[encoding]
  if (encoding === 'json') return { type, body: JSON.stringify({ code, message }) }
  const status = new BinaryWriter()
  status.tag(1, VARINT).int32(code)
  status.tag(2, BYTES).string(message)
  return { type, body: status.finish() }
}
