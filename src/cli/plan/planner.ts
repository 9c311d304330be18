import type { Places } from '../../kit/config/places.ts'
import type { KeptPorts } from '../../kit/supervisor/free-port.ts'
import type { RolePlan } from '../../kit/supervisor/role-unit.ts'
import { type Configured, configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { ENTRANCE } from './entrance.ts'
import { keepSettings } from './kept-settings.ts'
import { checkWish, planUnits, rolesOf, type Wish } from './plan.ts'

/** What is to run, by a wish and the configuration. */
export interface Planned {
  readonly wish: Wish
  readonly configured: Configured
  readonly roles: readonly RolePlan[]
  /** Settings that were changed since the first plan, and are planned as they were: they hold when the platform is started anew. By path. */
  readonly pending: readonly string[]
}

/** Plans what `msvc up` runs: at first, and again whenever the wish or the file has changed. What has not changed is planned alike, its ports too. */
export interface Planner {
  /**
   * Throws AppError `CONFIG_INVALID` with every fault of the configuration, and `USAGE` for a wish that can't be met.
   * @param places where the platform is, once it runs. Default: where its configuration says
   */
  plan(wish: Wish, places?: Places): Promise<Planned>
}

/** Makes the planner of a session. */
export function createPlanner(session: Session, portOf: KeptPorts): Planner {
  let first: Configured | undefined
  const seen = new Set<string>()
  return {
    async plan(asked, places) {
      const wanted = await configure(session, {
        together: ({ up }) => rolesOf({ ...asked, without: up.without }),
        runsServices: asked.only ?? true,
        portOffset: asked.portOffset,
      })
      first ??= wanted
      const { configured, pending } = keepSettings(first, wanted, places ?? first.settings)
      const { without } = configured.settings.up
      const together = rolesOf({ ...asked, without })
      const services = Object.keys(configured.own)
      const here = [...together, ...services]
      // what was asked for of a service or role that the file had, and has no more, is no fault
      const gone = [...seen].filter((name) => !here.includes(name))
      const wish = { ...withoutNames(asked, gone), without }
      checkWish(wish, services)
      for (const name of here) seen.add(name)
      // everyone must know the registry's address before it listens, and users' services that of every role
      const known = services.length > 0 ? together : together.filter((name) => name === 'registry')
      const sections = Object.entries(configured.sections).map(async ([name, section]) => {
        if (section.port !== 0) return [name, section] as const
        // who waits at it would be forgotten at another
        const kept = name === ENTRANCE ? session.io.predecessor?.port : undefined
        const port = kept ?? (known.includes(name) ? await portOf(name, section.host) : 0)
        return [name, { ...section, port }] as const
      })
      const settled = { ...configured, sections: Object.fromEntries(await Promise.all(sections)) }
      return { wish, configured: settled, roles: planUnits(settled, wish), pending }
    },
  }
}

function withoutNames(wish: Wish, names: readonly string[]): Wish {
  return {
    ...wish,
    scale: new Map([...wish.scale].filter(([name]) => !names.includes(name))),
    ...(wish.only && { only: wish.only.filter((name) => !names.includes(name)) }),
  }
}
