import { type Command, Option } from 'commander'
import type { TokenRequest } from '../../kit/auth/authority.ts'
import type { AnyRole } from '../../kit/role.ts'
import type { Reached } from '../session/configuration.ts'
import type { OpenSession } from '../session/session.ts'

interface TokenFlags {
  readonly subject?: string
  readonly service?: string
  readonly scope: readonly string[]
  readonly audience: string
  readonly ttl: string
}

const EXAMPLES = `
Examples:
  $ msvc token --subject alice --scope orders:write,users:write
  $ TOKEN=$(msvc token --subject alice --scope orders:write)
  $ msvc token --subject ops --audience registry --scope registry:admin
  $ msvc token --subject prometheus --audience broker --scope metrics:read
  $ msvc token --service shop-service --scope users:read --ttl 86400`

/** `msvc token`: a signed token, alone on stdout. */
export function addToken(program: Command, open: OpenSession): void {
  program
    .command('token')
    .summary('make a token')
    .description(
      "Makes a token (JWT) signed with the key of the platform's data folder, or of auth.key_file: for a person, or for a service that is not of the platform. A service renews its own: POST /oauth/token at the gateway.",
    )
    .option('--subject <name>', 'the person it speaks for')
    .addOption(
      new Option(
        '--service <name>',
        'the service of yours, or of a role without the key, that it speaks for, at every role, with what every service may do (to register, publish, subscribe, log, read its values)',
      ).conflicts(['subject', 'audience']),
    )
    .option('--scope <scopes...>', 'what it allows, such as orders:write; separated by commas or repeated', [])
    .option('--audience <service>', 'the service it is for', 'api-gateway')
    .option('--ttl <seconds>', 'how long it holds, at most 86400', '3600')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: TokenFlags, command: Command) => {
      const session = open(command)
      const [{ configureClient, requireDataFolder }, { platformAuthority }, { systemClock }, { AppError }] =
        await Promise.all([
          import('../session/configuration.ts'),
          import('../../kit/config/platform-authority.ts'),
          import('../../drivers/clock.ts'),
          import('../../kit/errors.ts'),
        ])
      if (!/^\d{1,6}$/.test(flags.ttl)) throw new AppError('USAGE', `--ttl wants a number of seconds, not ${flags.ttl}`)
      const reached = await configureClient(session)
      const { settings } = reached
      const authority = platformAuthority(settings, systemClock)
      const request = await requestOf(flags, reached)
      const { subject, audience, scopes, ttlSeconds } = request
      if (settings.auth.key_file === undefined) requireDataFolder(settings.data)
      for (const doubt of await doubtsOf(request, reached)) session.messages.warn(doubt)
      const token = await authority.mint(request)
      session.print(token)
      session.printJson({ token, subject, audience, scopes, expires_in: ttlSeconds })
    })
}

/** What may be a typing error, being near a name of the platform's; it may be somebody's own all the same, so the token is made. */
async function doubtsOf({ scopes, audience }: TokenRequest, reached: Reached): Promise<readonly string[]> {
  const [{ SCOPES }, { didYouMean }, { visibleText }] = await Promise.all([
    import('../../kit/auth/scopes.ts'),
    import('../../kit/nearest.ts'),
    import('../render/visible-text.ts'),
  ])
  const services = platformServices(reached)
  const doubt = (what: string, known: readonly string[]) => (name: string) => {
    const service = what === 'service' ? reached.roles.find((role) => role.name === name)?.service : undefined
    const near = service === undefined ? didYouMean(name, known) : `; did you mean ${service}?`
    const meant = known.includes(name) ? '' : near
    return meant === '' ? [] : [`${visibleText(name)} is no ${what} of the platform's own${meant}`]
  }
  return [...scopes.flatMap(doubt('scope', SCOPES)), ...[audience].flat().flatMap(doubt('service', services))]
}

/** What the flags ask for. Throws AppError `USAGE`. */
async function requestOf(flags: TokenFlags, reached: Reached): Promise<TokenRequest> {
  const { AppError } = await import('../../kit/errors.ts')
  const { subject, service, audience, ttl } = flags
  const scopes = flags.scope.flatMap((part) => part.split(',')).filter(Boolean)
  const ttlSeconds = Number(ttl)
  if (subject !== undefined) return { subject, audience, scopes, ttlSeconds }
  if (service === undefined) {
    throw new AppError('USAGE', 'whom does it speak for? --subject names a person, --service a service of yours')
  }
  const [{ SERVICE_SCOPES }, { ownFields }, { ServiceName }] = await Promise.all([
    import('../../kit/auth/scopes.ts'),
    import('../../kit/config/schema.ts'),
    import('../../roles/registry/contract.ts'),
  ])
  if (!ServiceName.safeParse(service).success) {
    throw new AppError('USAGE', `--service wants letters, digits, ".", "_" and "-", at most 100, not ${service}`)
  }
  const platform = platformServices(reached)
  const role = roleOf(service, reached)
  if (role && (role.signs || !platform.includes(service))) {
    const named = role.signs ? 'a service of yours' : `it by ${role.service} for one without the key (auth.jwks)`
    throw new AppError('USAGE', `${service} is a role of the platform, which makes its own tokens; name ${named}`)
  }
  const section = role && reached.sections[role.name]
  const all = [...new Set([...SERVICE_SCOPES, ...(section && role ? role.calls(ownFields(section)) : []), ...scopes])]
  return { subject: service, service: true, audience: platform, scopes: all, ttlSeconds }
}

/** The role of which this is the name or its service's, or would be read as one. */
function roleOf(service: string, { roles, running }: Reached): AnyRole | undefined {
  const renamed = running.flatMap((state) => state.roles).find((unit) => unit.service === service)?.role
  const names = (role: AnyRole) => [role.name, role.service].map((name) => name.toLowerCase())
  return roles.find((role) => role.name === renamed || names(role).includes(service.toLowerCase()))
}

/** The names of all roles: as they are built in, and as they run here (SERVICE_NAME). */
function platformServices({ roles, running }: Reached): readonly string[] {
  const units = running.flatMap((state) => state.roles)
  return [...new Set([...roles, ...units].map(({ service }) => service))]
}
