import type * as z from 'zod'

/** Most faults told of one value. */
const MOST = 5

/**
 * What is wrong with a value, for people: a line a fault, `field.inner: why`, five at most.
 * @param whole what the value itself is called where no field of it is to blame. Default `value`
 * @example new AppError('INVALID_REQUEST', message, { detail: inputFaults(result.error).join('; ') })
 */
export function inputFaults(error: z.ZodError, whole = 'value'): readonly string[] {
  return error.issues.slice(0, MOST).map(({ path, message }) => `${path.join('.') || whole}: ${message}`)
}
