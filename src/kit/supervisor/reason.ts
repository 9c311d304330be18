import * as z from 'zod'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../errors.ts'
import { inputFaults } from '../input-faults.ts'
import { behindRole } from '../part-words.ts'

/** Why something failed, in one line for the person at the terminal: no stack, and no guess at what an unknown fault means. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AppError || thrown instanceof DriverError) return thrown.message
  if (thrown instanceof z.ZodError) return inputFaults(thrown).join('; ')
  if (!(thrown instanceof Error)) return `unexpected fault: ${String(thrown)}`
  const [first = ''] = thrown.message.split('\n')
  return `unexpected ${thrown.name}: ${first}`
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
