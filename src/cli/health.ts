import type { Command } from 'commander'
import type { Reached } from './configuration.ts'
import type { OpenSession } from './session.ts'

const TIMEOUT_MS = 3_000

const EXAMPLES = `
Examples:
  $ msvc health
  $ msvc health --json | jq 'select(.status != "healthy")'`

/** What one role says of itself. */
interface Verdict {
  readonly role: string
  readonly service: string
  readonly url: string
  readonly status: string
  /** Names of failing checks, or why there was no answer. */
  readonly why: string
}

/** `msvc health`: asks every role how it is. */
export function addHealth(program: Command, open: OpenSession): void {
  program
    .command('health')
    .summary('ask every role how it is')
    .description('Asks every role of the platform for /health. Exit code 1 unless all are healthy.')
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const [{ AppError }, { columns }] = await Promise.all([import('../kit/errors.ts'), import('./render/columns.ts')])
      const { configureClient } = await import('./configuration.ts')
      const reached = await configureClient(session)
      const verdicts = await Promise.all((await placesOf(reached)).map((place) => ask(place)))
      const rows = verdicts.map(({ role, service, url, status, why }) => [role, service, url, status, why])
      session.print(columns([['ROLE', 'SERVICE', 'ADDRESS', 'STATUS', ''], ...rows]))
      for (const verdict of verdicts) session.printJson(verdict)
      const ill = verdicts.filter(({ status }) => status !== 'healthy').length
      if (verdicts.every(({ status }) => status === 'not running'))
        throw new AppError('UNAVAILABLE', nothingRuns(reached))
      if (ill > 0) throw new AppError('UNAVAILABLE', `${ill} of ${verdicts.length} roles are not healthy`)
    })
}

type Place = Pick<Verdict, 'role' | 'service' | 'url'>

/** The units of the running platform, or, when none runs on this data folder, where the configuration expects the roles. */
async function placesOf(reached: Reached): Promise<readonly Place[]> {
  const [{ locate }, { readRunState }] = await Promise.all([import('./api.ts'), import('./run-state.ts')])
  const up = await readRunState(reached.settings.data)
  if (up) return up.roles.map(({ unit, service, url }) => ({ role: unit, service, url }))
  const roles = reached.roles.filter((role) => role.inUp !== false)
  return roles.map(({ name, service }) => ({ role: name, service, url: locate(name, reached) }))
}

function nothingRuns({ settings, running }: Reached): string {
  if (running.length > 0) return 'nothing runs here; start it with msvc up'
  return `no platform runs on ${settings.data}, and nothing at the addresses of the configuration; start it with msvc up`
}

async function ask(place: Place): Promise<Verdict> {
  const { isRecord } = await import('../kit/config/locate.ts')
  try {
    const answer = await fetch(`${place.url}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'manual' })
    const body: unknown = await answer.json()
    const { status, checks } = isRecord(body) ? body : {}
    const failing = isRecord(checks) ? Object.entries(checks).filter(([, result]) => result !== 'ok') : []
    const why = failing.map(
      ([name, result]) => `${name}: ${typeof result === 'string' ? result : JSON.stringify(result)}`,
    )
    return { ...place, status: typeof status === 'string' ? status : 'unhealthy', why: why.join('; ') }
  } catch (fault) {
    const late = fault instanceof Error && fault.name === 'TimeoutError'
    return {
      ...place,
      status: late ? 'silent' : 'not running',
      why: late ? `no answer in ${TIMEOUT_MS / 1_000} s` : '',
    }
  }
}
