import { didYouMean } from '../../kit/nearest.ts'
import type { Reached } from './configuration.ts'

/**
 * Why there is nothing of a service: `there is no service catlog; did you mean catalog?`; undefined for one that the platform, its file or what runs has. What
 * a role's or replica's name was given for, is named: entries are kept by the service's.
 */
export function unknownService(
  name: string,
  { roles, own, running }: Pick<Reached, 'roles' | 'own' | 'running'>,
): string | undefined {
  const units = running.flatMap((state) => state.roles)
  const services = [
    ...units.map(({ service }) => service),
    ...roles.map(({ service }) => service),
    ...Object.keys(own),
    ...running.flatMap((state) => state.units).filter((unit) => !units.some((known) => known.unit === unit)),
  ]
  if (services.includes(name)) return undefined
  const meant = units.find(({ unit }) => unit === name)?.service ?? roles.find((role) => role.name === name)?.service
  const hint = meant === undefined ? didYouMean(name, services) : `; did you mean ${meant}?`
  return `there is no service ${name}${hint}`
}
