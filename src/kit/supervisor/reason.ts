import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../errors.ts'

/** Why something failed, in one line for the person at the terminal: no stack, and no guess at what an unknown fault means. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AppError || thrown instanceof DriverError) return thrown.message
  if (!(thrown instanceof Error)) return `unexpected fault: ${String(thrown)}`
  const [first = ''] = thrown.message.split('\n')
  return `unexpected ${thrown.name}: ${first}`
}

/** A start that failed, as the person who asked for it is told: `user: port 8001 on 127.0.0.1 is taken …`. Wrong configuration stays so. */
export function startFailure(unit: string, cause: unknown): AppError {
  const misconfigured = cause instanceof AppError && cause.code === 'CONFIG_INVALID'
  return new AppError(misconfigured ? 'CONFIG_INVALID' : 'START_FAILED', `${unit}: ${reasonOf(cause)}`, { cause })
}
