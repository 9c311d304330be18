import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc registry list
  $ msvc registry list --json | jq -r .url`

/** `msvc registry list`: who is registered where. */
export function addRegistry(program: Command, open: OpenSession): void {
  const registry = program
    .command('registry')
    .summary('see who is registered')
    .description('Asks the registry.')
    .addHelpText('after', EXAMPLES)
  registry
    .command('list')
    .description('Lists every registered instance and its health.')
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const [{ connect }, { ServiceList }, { columns }] = await Promise.all([
        import('../session/api.ts'),
        import('../../roles/registry/contract.ts'),
        import('../render/columns.ts'),
      ])
      const api = await connect(session, 'registry')
      const { services } = await api.ask(ServiceList, '/registry/services')
      const instances = services.flatMap((service) => service.instances)
      const rows = instances.map((one) => [
        one.service_name,
        one.url,
        one.health,
        age(one.heartbeat_seconds),
        one.reason ?? '',
      ])
      session.print(columns([['SERVICE', 'ADDRESS', 'HEALTH', 'HEARTBEAT', ''], ...rows]))
      for (const instance of instances) session.printJson(instance)
    })
}

function age(seconds: number | undefined): string {
  return seconds === undefined ? '-' : `${seconds.toFixed(1)} s ago`
}
