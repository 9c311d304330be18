import { AppError } from '../../kit/errors.ts'
import type { Exchange } from '../../kit/http/exchange.ts'
import { answerProblem } from '../../kit/http/problem.ts'

const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|$)/i

/**
 * Refuses a path with a dot segment, encoded or not, as it came: a URL parser would quietly make another path of it (RFC 3986 §5.2.4).
 * @returns true when it was answered
 */
export function refuseDotSegments(exchange: Exchange): boolean {
  if (!DOT_SEGMENT.test(exchange.path)) return false
  const detail = 'The path holds a dot segment'
  answerProblem(exchange, new AppError('INVALID_PATH', 'Invalid service, environment or key', { detail }))
  return true
}
