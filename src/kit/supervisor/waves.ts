import { AppError } from '../errors.ts'
import type { Unit } from './unit.ts'

/** A role as far as the order of starting goes. */
export interface Needing {
  readonly name: string
  /** Names of what must be ready first. */
  readonly needs: readonly string[]
}

/**
 * The order in which roles start, as waves: all of a wave start at once, after all waves before it. Needs that aren't among the given
 * roles are left out: they run elsewhere, or their absence was chosen (`--only`).
 * @throws AppError `CONFIG_INVALID` when roles need each other in a circle
 * @example wavesOf([{ name: 'user', needs: ['registry'] }, { name: 'registry', needs: [] }]) // [['registry'], ['user']]
 */
export function wavesOf(roles: readonly Needing[]): readonly (readonly string[])[] {
  const names = new Set(roles.map(({ name }) => name))
  const placed = new Set<string>()
  const waves: string[][] = []
  while (placed.size < names.size) {
    const isFree = ({ name, needs }: Needing) =>
      !placed.has(name) && needs.every((need) => placed.has(need) || !names.has(need))
    const wave = roles.filter(isFree).map(({ name }) => name)
    if (wave.length === 0) {
      const circle = [...names].filter((name) => !placed.has(name)).join(', ')
      throw new AppError('CONFIG_INVALID', `these roles need each other in a circle: ${circle}`)
    }
    for (const name of wave) placed.add(name)
    waves.push(wave)
  }
  return waves
}

/** Units in the waves in which they start, see `wavesOf`. */
export function unitWaves<T extends Pick<Unit, 'replicaOf' | 'needs'>>(units: readonly T[]): readonly (readonly T[])[] {
  const needing = new Map(units.map(({ replicaOf, needs }) => [replicaOf, { name: replicaOf, needs }]))
  return wavesOf([...needing.values()]).map((wave) => units.filter(({ replicaOf }) => wave.includes(replicaOf)))
}

/** Units in the waves in which they stop: what the platform can do without first, since it may use any of the rest whatever it says it needs. */
export function stopWaves<T extends Pick<Unit, 'replicaOf' | 'needs' | 'essential'>>(
  units: readonly T[],
): readonly (readonly T[])[] {
  const [essential, others] = [units.filter((unit) => unit.essential), units.filter((unit) => !unit.essential)]
  return [...unitWaves(essential), ...unitWaves(others)].toReversed()
}

/** Refuses needs that no role of the platform has. Throws AppError `CONFIG_INVALID`. */
export function checkNeeds(roles: readonly Needing[]): void {
  const names = new Set(roles.map(({ name }) => name))
  for (const { name, needs } of roles) {
    const unknown = needs.find((need) => !names.has(need))
    if (unknown !== undefined)
      throw new AppError('CONFIG_INVALID', `${name} needs ${unknown}, and there is no such role`)
  }
}
