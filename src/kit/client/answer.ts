import * as z from 'zod'
import { AppError, CODES, codeOfStatus, type ErrorCode, isErrorCode } from '../errors.ts'
import { parseExact } from '../exact-json.ts'
import type { Answer } from './transport.ts'

/** The members of RFC 9457 problem documents, and the seed's `error`, that are read. All may be missing in a foreign service's answer. */
const Problem = z.object({
  code: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
  title: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
})
type Problem = z.infer<typeof Problem>

/**
 * The JSON of a good answer; undefined for an empty one. Throws AppError: a 4xx becomes the same error the service had (code, message,
 * detail, Retry-After), everything else `UPSTREAM_FAILED` or, for a 504, `UPSTREAM_TIMEOUT`.
 * @param request the call in words for the message, such as `GET /api/users/1`
 */
export function readAnswer(answer: Answer, service: string, request: string): unknown {
  const { status, text } = answer
  if (status >= 200 && status < 300) return text === '' ? undefined : parse(text, service, request)
  if (status >= 400 && status < 500) throw callersFault(answer, service, request)
  const code = status === 504 ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_FAILED'
  const why = status < 400 ? `${status}, and redirects are not followed` : describe(status, readProblem(text))
  throw new AppError(code, `${service} answered ${request} with ${why}`, { headers: retryAfterOf(answer) })
}

function parse(text: string, service: string, request: string): unknown {
  try {
    return parseExact(text)
  } catch (cause) {
    throw new AppError('UPSTREAM_FAILED', `${service} answered ${request} with something that is not JSON`, { cause })
  }
}

function callersFault(answer: Answer, service: string, request: string): AppError {
  const problem = readProblem(answer.text)
  const message = problem.error ?? problem.title ?? `${service} answered ${request} with ${answer.status}`
  const code = codeOf(problem.code, answer.status)
  return new AppError(code, message, { detail: problem.detail ?? message, headers: retryAfterOf(answer) })
}

function codeOf(named: string | undefined, status: number): ErrorCode {
  if (named !== undefined && isErrorCode(named) && CODES[named] === status) return named
  return codeOfStatus(status) ?? 'INVALID_REQUEST'
}

/** What can be read of a problem document; nothing of a text that is none. */
export function readProblem(text: string): Problem {
  try {
    return Problem.catch({}).parse(JSON.parse(text))
  } catch {
    return {}
  }
}

function describe(status: number, { code }: Problem): string {
  return code !== undefined && isErrorCode(code) ? `${status} (${code})` : String(status)
}

function retryAfterOf({ headers }: Answer): Record<string, string> {
  const value = headers.get('retry-after')
  return value === null ? {} : { 'retry-after': value }
}
