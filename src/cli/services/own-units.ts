import type { Planned } from '../plan/planner.ts'
import type { OwnUnits, OwnUnitsOptions } from './commands.ts'

/** Makes what runs users' services on this platform; nothing of it is loaded before there are some. */
export function createOwnUnits(options: OwnUnitsOptions): OwnUnits {
  let commands: OwnUnits | undefined

  async function loaded(planned: Planned): Promise<OwnUnits | undefined> {
    if (commands || Object.keys(planned.configured.own).length === 0) return commands
    const { createCommands } = await import('./commands.ts')
    commands = createCommands(planned, options)
    return commands
  }

  return {
    plan: async (planned) => (await (await loaded(planned))?.plan(planned)) ?? { units: [], roles: [] },
    applied: () => commands?.applied(),
    close: async () => commands?.close(),
  }
}
