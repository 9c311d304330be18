import { DriverError, type DriverErrorKind } from '../drivers/driver-error.ts'

/** Every code an error of the platform can carry, with the HTTP status it becomes. Codes are stable; messages are not. */
export const CODES = {
  INVALID_REQUEST: 400,
  INVALID_BODY: 400,
  INVALID_PATH: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  EXPECTATION_FAILED: 417,
  UNPROCESSABLE: 422,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL: 500,
  NOT_IMPLEMENTED: 501,
  UPSTREAM_FAILED: 502,
  UNAVAILABLE: 503,
  CIRCUIT_OPEN: 503,
  STOPPING: 503,
  UPSTREAM_TIMEOUT: 504,
  DISK_FULL: 507,
  CONFIG_INVALID: 500,
  USAGE: 500,
  START_FAILED: 500,
  UNREACHABLE: 503,
} as const

/**
 * A code of CODES.
 * @example const codes: readonly ErrorCode[] = ['NOT_FOUND', 'CONFLICT', 'RATE_LIMITED']
 */
export type ErrorCode = keyof typeof CODES

/** An HTTP status that a code becomes. */
export type ErrorStatus = (typeof CODES)[ErrorCode]

/** Whether a word, such as the `code` of another service's problem document, is one of ours. */
export function isErrorCode(word: string): word is ErrorCode {
  return Object.hasOwn(CODES, word)
}

/** The most general code with an HTTP status, the first in CODES; undefined for a status that no code has. */
export function codeOfStatus(status: number): ErrorCode | undefined {
  return Object.keys(CODES)
    .filter(isErrorCode)
    .find((code) => CODES[code] === status)
}

/**
 * What an AppError may say besides its message; `cause` is kept for the log.
 * @example throw new AppError('CONFLICT', 'Sold out', { detail: 'The last Laptop was sold a minute ago', cause: fault })
 */
export interface AppErrorOptions extends ErrorOptions {
  /** Default: the message. */
  readonly detail?: string
  /** Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** RFC 6585 §4, RFC 9110 §15.6.4. */
const AGAIN = { 'retry-after': '1' }

/**
 * The platform's one error: a code for programs, a message for people that says what happened, where, and what to do.
 * Message and detail are shown to the caller, whatever the status, unless the code is INTERNAL: keep secrets out of them.
 * @example throw new AppError('NOT_FOUND', 'User not found')
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  /** More than the message says, such as which field was wrong; shown to the caller as `detail`. */
  readonly detail: string
  /** Response headers this error brings, such as `WWW-Authenticate`. What passes by itself (429, 503) always has `Retry-After`: 1 second unless said. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.detail = options.detail ?? message
    this.headers =
      CODES[code] === 429 || CODES[code] === 503 ? { ...AGAIN, ...options.headers } : (options.headers ?? {})
  }

  /** The HTTP status of its code. */
  get status(): ErrorStatus {
    return CODES[this.code]
  }
}

const KINDS: Readonly<Record<DriverErrorKind, ErrorCode>> = {
  invalid: 'INTERNAL',
  conflict: 'CONFLICT',
  'not-found': 'NOT_FOUND',
  unavailable: 'UNAVAILABLE',
  damaged: 'UNAVAILABLE',
  full: 'DISK_FULL',
  'too-many': 'RATE_LIMITED',
  'too-large': 'BODY_TOO_LARGE',
  closed: 'STOPPING',
}

/** Any thrown thing as an AppError that callers may see, the original kept as `cause`. Unknown things become INTERNAL with a message that tells nothing. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  if (thrown instanceof DriverError) {
    const { kind, told, retryAfterS } = thrown
    const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
    return new AppError(KINDS[kind], told, { cause: thrown, headers })
  }
  return new AppError('INTERNAL', 'Internal error', { cause: thrown })
}

/** What any thrown thing says, without its stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** What any thrown thing says to who asks from outside. */
export function toldOf(thrown: unknown): string {
  return thrown instanceof DriverError ? thrown.told : messageOf(thrown)
}

/** An RFC 9457 problem document, with the seed's `error` beside the standard members. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: ErrorStatus
  readonly detail: string
  readonly code: ErrorCode
  readonly error: string
  readonly trace_id: string
}

/** The document a caller gets for an error. What an INTERNAL one says stays in the log: the caller gets the title and the trace id. */
export function toProblem(error: AppError, traceId: string): Problem {
  const { code, status } = error
  const title = TITLES[status]
  if (code === 'INTERNAL') {
    const detail = 'The log server has the cause under this trace id'
    return { type: 'about:blank', title, status, detail, code, error: title, trace_id: traceId }
  }
  return { type: 'about:blank', title, status, detail: error.detail, code, error: error.message, trace_id: traceId }
}

/** RFC 9110 §15, and the extensions of RFC 6585 and RFC 4918. */
const TITLES: Readonly<Record<ErrorStatus, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
}
