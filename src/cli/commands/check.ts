import type { Command } from 'commander'
import { AppError } from '../../kit/errors.ts'
import type { Configured } from '../session/configuration.ts'
import type { OpenSession, Session } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc check --config production.yaml
  $ msvc check --json | jq .settings.auth`

/** `msvc check`: reads the configuration and says what is wrong with it, without starting anything. */
export function addCheck(program: Command, open: OpenSession): void {
  program
    .command('check')
    .summary('check the configuration')
    .description(
      'Reads file, environment and flags, and reports every fault with its place. With --json it prints what holds in the end, secrets hidden, or the faults.',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const [{ hideSecrets }, { shownSettings }] = await Promise.all([
        import('../../kit/secrets/secret-values.ts'),
        import('../../kit/config/shown.ts'),
      ])
      try {
        const { roles, settings, sections, own, file: source = 'built-in defaults' } = await checked(session)
        const services = Object.keys(own)
        session.print(`the configuration holds (${source}, ${roles.length} roles, ${counted(services.length)})`)
        session.printJson(hideSecrets({ ok: true, settings: shownSettings(settings), roles: sections, services }))
      } catch (thrown) {
        if (thrown instanceof AppError)
          session.printJson(hideSecrets({ ok: false, faults: thrown.message.split('\n') }))
        throw thrown
      }
    })
}

function counted(services: number): string {
  if (services === 0) return 'no services'
  return services === 1 ? '1 service' : `${services} services`
}

/** The configuration, once it is known to hold. Throws AppError `CONFIG_INVALID`. */
async function checked(session: Session): Promise<Configured> {
  const [{ configure }, { checkNeeds, wavesOf }] = await Promise.all([
    import('../session/configuration.ts'),
    import('../../kit/supervisor/waves.ts'),
  ])
  const configured = await configure(session, { runsServices: true })
  checkNeeds(configured.roles)
  wavesOf(configured.roles)
  return configured
}
