import type { Command } from 'commander'
import type { Reached } from '../session/configuration.ts'
import type { OpenSession, Session } from '../session/session.ts'

const TIMEOUT_MS = 3_000

const EXAMPLES = `
Examples:
  $ msvc health
  $ msvc health --json | jq 'select(.status != "healthy")'
  HEALTHCHECK CMD ["msvc", "health", "--self"]   # in a Dockerfile`

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
    .description(
      'Asks every role of the platform for /health; of your own services it says what the platform sees. Exit code 1 unless all are healthy; with --self, one that serves all the same (degraded) will do.',
    )
    .option('--self', 'only what runs on this data folder: in a container, the role that is its process')
    .addHelpText('after', EXAMPLES)
    .action(async ({ self = false }: { readonly self?: boolean }, command: Command) => {
      const session = open(command)
      const [{ AppError }, { columns }] = await Promise.all([
        import('../../kit/errors.ts'),
        import('../render/columns.ts'),
      ])
      const { configureClient } = await import('../session/configuration.ts')
      const reached = await configureClient(session)
      if (self && reached.running.length === 0)
        throw new AppError('UNAVAILABLE', `nothing runs on ${reached.settings.data}`)
      const places = await placesOf(reached, session)
      const portless = reached.running.flatMap((state) => state.portless).map(portlessVerdict)
      const unready = reached.running.flatMap(({ starting }) => starting).map(unreadyVerdict)
      const verdicts = [
        ...(await Promise.all(places.map((place) => (place.seen ? seenVerdict(place, place.seen) : ask(place))))),
        ...portless,
        ...unready,
      ]
      const rows = verdicts.map(({ role, service, url, status, why }) => [role, service, url, status, why])
      session.print(columns([['ROLE', 'SERVICE', 'ADDRESS', 'STATUS', ''], ...rows]))
      for (const verdict of verdicts) session.printJson(verdict)
      // a container is not to be taken out of service for what it still serves with, such as a dead letter
      const isWell = (status: string) =>
        status === 'healthy' || status === 'finished' || (self && status === 'degraded')
      const ill = verdicts.filter(({ status }) => !isWell(status)).length
      if (verdicts.every(({ status }) => status === 'not running')) {
        throw new AppError('UNAVAILABLE', 'nothing runs there; start it with msvc up')
      }
      if (ill > 0) throw new AppError('UNAVAILABLE', `${ill} of ${verdicts.length} roles are not healthy`)
    })
}

type Running = Reached['running'][number]
interface Place extends Pick<Verdict, 'role' | 'service' | 'url'> {
  /** How who runs it sees it: of a service of the user's, whose /health is its own affair. */
  readonly seen?: Seen
}
type Seen = Running['roles'][number]['state'] | Running['portless'][number]['state']

/** What runs on the data folder; or, when nothing does, the roles where the configuration expects them. */
async function placesOf(reached: Reached, { options, messages }: Session): Promise<readonly Place[]> {
  const { roles, running, settings } = reached
  if (running.length > 0) {
    const isRole = (name: string) => roles.some((role) => role.name === name)
    return running
      .flatMap((state) => state.roles)
      .map(({ unit, role, service, url, state }) => ({
        ...{ role: unit, service, url },
        ...(!isRole(role) && { seen: state }),
      }))
  }
  const { locate, nothingRuns } = await import('../session/place.ts')
  const expected = roles
    .filter((role) => role.inUp !== false)
    .map(({ name }) => ({ role: name, ...locate(name, reached, options) }))
  if (expected.some(({ isGuess }) => isGuess)) {
    messages.warn(`${nothingRuns(settings.data)}: these are the addresses of the configuration`)
  }
  return expected.map(({ role, service, url }) => ({ role, service, url }))
}

function unreadyVerdict(unit: string): Verdict {
  return { role: unit, service: '', url: '', status: 'starting', why: 'not ready yet' }
}

function portlessVerdict({ unit, service = '', state }: Running['portless'][number]): Verdict {
  return seenVerdict({ role: unit, service, url: '' }, state)
}

function seenVerdict({ role, service, url }: Place, seen: Seen): Verdict {
  const place = { role, service, url }
  if (seen === 'ready') return { ...place, status: 'healthy', why: '' }
  if (seen === 'finished') return { ...place, status: 'finished', why: '' }
  if (seen === 'silent')
    return { ...place, status: 'silent', why: 'it is not ready any more, by what `ready` asks of it' }
  return { ...place, status: seen === 'failed' ? 'failed' : 'not running', why: 'msvc ps says why' }
}

async function ask(place: Place): Promise<Verdict> {
  const { isRecord } = await import('../../kit/record.ts')
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
