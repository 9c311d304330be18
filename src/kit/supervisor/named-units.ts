import { AppError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import type { Unit } from './unit.ts'

/**
 * The units that are meant by names: a role's or service's means all its replicas, `user-2` the second one alone, and `user-1` the first. Throws AppError
 * `NOT_FOUND` for a name that nothing has.
 */
export function namedUnits(
  names: readonly string[],
  units: readonly Pick<Unit, 'name' | 'replicaOf'>[],
): readonly string[] {
  const known = [...new Set(units.flatMap(({ name, replicaOf }) => [replicaOf, name]))]
  const found = names.flatMap((wanted) => {
    const replicas = units.filter(({ replicaOf }) => replicaOf === wanted)
    const alone = units.filter(({ name, replicaOf }) => name === wanted || `${replicaOf}-1` === wanted).slice(0, 1)
    const meant = replicas.length > 0 ? replicas : alone
    if (meant.length > 0) return meant.map(({ name }) => name)
    throw new AppError('NOT_FOUND', `there is no unit ${wanted}${didYouMean(wanted, known)}; msvc ps lists them`)
  })
  return [...new Set(found)]
}
