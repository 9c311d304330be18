import { DriverError, type DriverErrorKind } from '../drivers/driver-error.ts'

/** Every code an error of the platform can carry, with the HTTP status it becomes. Codes are stable; messages are not. */
export const CODES = {
  INVALID_REQUEST: 400,
  INVALID_BODY: 400,
  INVALID_PATH: 400,
  INVALID_ID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
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

export type ErrorCode = keyof typeof CODES

export interface AppErrorOptions extends ErrorOptions {
  readonly detail?: string
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The platform's one error: a code for programs, a message for people that says what happened, where, and what to do.
 * The message of an AppError with a status below 500 is shown to the caller; keep secrets and internals out of it.
 * @example throw new AppError('NOT_FOUND', 'User not found')
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  /** More than the message says, such as which field was wrong; shown to the caller as `detail`. */
  readonly detail: string
  /** Response headers this error brings, such as `WWW-Authenticate` or `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.detail = options.detail ?? message
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return CODES[this.code]
  }
}

const KINDS: Readonly<Record<DriverErrorKind, ErrorCode>> = {
  invalid: 'INTERNAL',
  conflict: 'CONFLICT',
  'not-found': 'NOT_FOUND',
  unavailable: 'UNAVAILABLE',
  full: 'DISK_FULL',
  closed: 'STOPPING',
}

/** Any thrown thing as an AppError, the original kept as `cause`. Unknown things become INTERNAL with a message that tells nothing. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  if (thrown instanceof DriverError) return new AppError(KINDS[thrown.kind], thrown.message, { cause: thrown })
  return new AppError('INTERNAL', 'Internal error', { cause: thrown })
}

/** An RFC 9457 problem document, with the seed's `error` beside the standard members. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly error: string
  readonly trace_id: string
}

/** The document a caller gets for an error. Details of 5xx errors stay in the log: the caller gets the title and the trace id. */
export function toProblem(error: AppError, traceId: string): Problem {
  const title = TITLES[error.status] ?? 'Error'
  const { code, status } = error
  if (code === 'INTERNAL') {
    const detail = 'The log server has the cause under this trace id'
    return { type: 'about:blank', title, status, detail, code, error: title, trace_id: traceId }
  }
  return { type: 'about:blank', title, status, detail: error.detail, code, error: error.message, trace_id: traceId }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
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
