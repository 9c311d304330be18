import type { Command } from 'commander'
import type { OpenSession } from './session.ts'

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
      'Reads file, environment and flags, and reports every fault with its place. With --json it prints what holds in the end, secrets hidden.',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const [{ configure }, { hideSecrets }, { checkNeeds, wavesOf }] = await Promise.all([
        import('./configuration.ts'),
        import('../kit/secrets/secret-values.ts'),
        import('../kit/supervisor/order.ts'),
      ])
      const { roles, settings, sections } = await configure(session)
      checkNeeds(roles)
      wavesOf(roles)
      session.print(`the configuration holds (${session.options.config ?? 'built-in defaults'}, ${roles.length} roles)`)
      session.printJson(hideSecrets({ ok: true, settings, roles: sections }))
    })
}
