import type { KeptPorts } from '../kit/supervisor/free-port.ts'
import type { RolePlan } from '../kit/supervisor/role-unit.ts'
import { type Configured, configure } from './configuration.ts'
import { checkWish, planUnits, unitNames, type Wish } from './plan.ts'
import type { Session } from './session.ts'

/** What is to run, by a wish and the configuration. */
export interface Planned {
  readonly wish: Wish
  readonly configured: Configured
  readonly roles: readonly RolePlan[]
}

/** Plans what `msvc up` runs: at first, and again whenever the wish or the file has changed. What has not changed is planned alike, its ports too. */
export interface Planner {
  /** Throws AppError `CONFIG_INVALID` with every fault of the configuration, and `USAGE` for a wish that can't be met. */
  plan(wish: Wish): Promise<Planned>
}

/** Makes the planner of a session. */
export function createPlanner(session: Session, portOf: KeptPorts): Planner {
  return {
    async plan(wish) {
      const together = [...new Set(unitNames(wish).map(({ role }) => role))]
      const configured = await configure(session, { together, runsServices: true })
      checkWish(wish, Object.keys(configured.own))
      // everyone must know the registry's address before it listens, and users' services that of every role
      const known = Object.keys(configured.own).length > 0 ? together : together.filter((name) => name === 'registry')
      const sections = Object.entries(configured.sections).map(async ([name, section]) => {
        const isWanted = known.includes(name) && section.port === 0
        return [name, isWanted ? { ...section, port: await portOf(name, section.host) } : section] as const
      })
      const settled = { ...configured, sections: Object.fromEntries(await Promise.all(sections)) }
      return { wish, configured: settled, roles: planUnits(settled, wish) }
    },
  }
}
