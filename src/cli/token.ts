import type { Command } from 'commander'
import type { OpenSession } from './session.ts'

interface TokenFlags {
  readonly subject: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly ttl: string
}

const EXAMPLES = `
Examples:
  $ msvc token --subject alice --scope orders:write,users:write
  $ TOKEN=$(msvc token --subject alice --scope orders:write)
  $ msvc token --subject ops --audience registry --scope registry:write,registry:admin --ttl 300
  $ msvc token --subject prometheus --audience broker --scope metrics:read --ttl 86400`

/** `msvc token`: a signed token, alone on stdout. */
export function addToken(program: Command, open: OpenSession): void {
  program
    .command('token')
    .summary('make a token')
    .description('Makes a token (JWT) signed with the key of the data folder, which is made when missing.')
    .requiredOption('--subject <name>', 'who it speaks for')
    .option('--scope <scopes...>', 'what it allows, such as orders:write; separated by commas or repeated', [])
    .option('--audience <service>', 'the service it is for', 'api-gateway')
    .option('--ttl <seconds>', 'how long it holds, at most 86400', '3600')
    .addHelpText('after', EXAMPLES)
    .action(async ({ subject, scope, audience, ttl }: TokenFlags, command: Command) => {
      const session = open(command)
      const [{ configureClient }, { createAuthority }, { systemClock }, { AppError }] = await Promise.all([
        import('./configuration.ts'),
        import('../kit/auth/local-authority.ts'),
        import('../drivers/clock.ts'),
        import('../kit/errors.ts'),
      ])
      if (!/^\d{1,6}$/.test(ttl)) throw new AppError('USAGE', `--ttl wants a number of seconds, not ${ttl}`)
      const { settings } = await configureClient(session)
      const authority = createAuthority({ ...settings.auth, folder: `${settings.data}/keys`, clock: systemClock })
      const scopes = scope.flatMap((part) => part.split(',')).filter(Boolean)
      const token = await authority.mint({ subject, audience, scopes, ttlSeconds: Number(ttl) })
      session.print(token)
      session.printJson({ token, subject, audience, scopes, expires_in: Number(ttl) })
    })
}
