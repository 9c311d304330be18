import type * as z from 'zod'
import { didYouMean } from './nearest.ts'

/** Most faults told of one value. */
const MOST = 5

/**
 * What is wrong with a value, for people: a line a fault, `field.inner: why`, five at most.
 * @param whole what the value itself is called where no field of it is to blame. Default `value`
 * @param known names of its fields, one of which a field that isn't known may be meant for
 * @example new AppError('INVALID_REQUEST', message, { detail: inputFaults(result.error).join('; ') })
 */
export function inputFaults(error: z.ZodError, whole = 'value', known: readonly string[] = []): readonly string[] {
  return error.issues
    .flatMap((issue) => {
      const { path, message } = issue
      if (issue.code !== 'unrecognized_keys') return [`${path.join('.') || whole}: ${message}`]
      const near = path.length === 0 ? known : []
      return issue.keys.map((key) => `${[...path, key].join('.')}: there is no such field${didYouMean(key, near)}`)
    })
    .slice(0, MOST)
}
