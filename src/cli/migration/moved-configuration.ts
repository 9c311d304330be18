import { withoutPassword } from '../../kit/secrets/address-text.ts'
import { isFlag, type Target, type Targets } from './migration-ways.ts'

/** The settings that lead to where a platform has moved, without passwords. */
export function movedConfiguration(targets: Targets): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(targets).map(([kind, { url }]) => [kind, withoutPassword(url)]))
}

/** The same as lines of a configuration, and what is to be done with them: those that stand there already are told with their places. */
export function configurationLines(targets: Targets): readonly string[] {
  const isSaid = !Object.values(targets).some(isFlag)
  return [
    `${isSaid ? 'The configuration leads there already' : 'Put into the configuration'} (passwords are left out here):`,
    ...Object.entries(targets).map(([kind, target]) => `  ${kind}: ${withoutPassword(target.url)}${placeOf(target)}`),
  ]
}

function placeOf(target: Target): string {
  return isFlag(target) ? '' : ` # ${target.saidBy}`
}
