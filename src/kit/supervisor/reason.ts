import * as z from 'zod'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../errors.ts'
import { inputFaults } from '../input-faults.ts'
import { behindRole } from '../part-words.ts'

/**
 * Why something failed, in one line for the person at the terminal: no stack, and no guess at what an unknown fault means. Of a fault that may quote what
 * somebody was given, a secret perhaps, no more than its name and code.
 * @example reasonOf(new TypeError('x is not a function')) // 'unexpected TypeError: x is not a function'
 */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AppError || thrown instanceof DriverError) return thrown.message
  if (thrown instanceof z.ZodError) return inputFaults(thrown).join('; ')
  if (!(thrown instanceof Error)) return `unexpected fault: ${String(thrown)}`
  if (quotesValues(thrown)) return `unexpected ${thrown.name}${'code' in thrown ? ` (${thrown.code})` : ''}`
  const [first = ''] = thrown.message.split('\n')
  return `unexpected ${thrown.name}: ${first}`
}

/**
 * Whether it is of Node's own checks of arguments, which say `Received 'hunter2'` (https://nodejs.org/api/errors.html#nodejs-error-codes), or of a parser,
 * which says `"hunter2" is not valid JSON`.
 */
function quotesValues(fault: Error): boolean {
  return fault instanceof SyntaxError || ('code' in fault && String(fault.code).startsWith('ERR_'))
}

/** Which of the two codes of a failed start: wrong configuration stays that. */
export function startCode(cause: unknown): 'CONFIG_INVALID' | 'START_FAILED' {
  return cause instanceof AppError && cause.code === 'CONFIG_INVALID' ? cause.code : 'START_FAILED'
}

/** A start that failed, as the person who asked for it is told: `user: port 8001 on 127.0.0.1 is taken …`. */
export function startFailure(unit: string, cause: unknown): AppError {
  return new AppError(startCode(cause), `${unit}: ${behindRole(reasonOf(cause))}`, { cause })
}

/** What a role that ran can't go on for, as the person who runs it is told. */
export function endOfRun(unit: string, cause: unknown): AppError {
  return new AppError('UNAVAILABLE', `${unit}: ${behindRole(reasonOf(cause))}`, { cause })
}
