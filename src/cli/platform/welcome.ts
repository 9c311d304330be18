import type { Authority } from '../../kit/auth/authority.ts'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { GATEWAY_SERVICE } from '../../roles/gateway/contract.ts'
import type { Planned } from '../plan/planner.ts'
import type { RunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import type { AnsweringServices } from './first-request.ts'

/** Who the first request is made as. */
const SUBJECT = 'ann'
/** What else the token for one that makes a user may do: an order is the next one. */
const USER_SCOPES = ['users:read', 'users:write', 'orders:read', 'orders:write']

/** Says where everything is, and how to begin. @param rows all that there is, ready or not */
export type Welcome = (state: RunState, rows: readonly UnitRow[]) => void

/** What is going to run, and by which configuration. */
type WelcomePlan = Pick<Planned, 'wish' | 'configured' | 'roles'>

/** Makes ready, while the roles start, what says where everything is and how to begin. */
export async function prepareWelcome(session: Session, planned: WelcomePlan, authority: Authority): Promise<Welcome> {
  const { io, options } = session
  const gateway = planned.roles.find(({ job }) => job.role === 'gateway')?.job
  // what isn't a terminal is kept: by a log, a pipeline, somebody else's screen
  const isSeen = gateway !== undefined && io.out.isTTY
  const [{ readyText }, { firstRequest }] = await Promise.all([import('./ready-text.ts'), import('./first-request.ts')])
  const services = await answeringServices(planned)
  const requestTo = (url: string) => gateway && firstRequest(gateway.section, gateway.settings, url, services)
  const wanted = requestTo('http://127.0.0.1:0')
  const scopes = [...new Set([...(wanted?.makesUser ? USER_SCOPES : []), ...(wanted?.scopes ?? [])])]
  const token = isSeen ? await authority.mint({ subject: SUBJECT, audience: GATEWAY_SERVICE, scopes }) : undefined
  return (state, rows) => {
    session.printJson({ ready: true, ...state, ...(token !== undefined && { token }) })
    const shown = token ?? (gateway ? tokenCommand(scopes, options.data) : undefined)
    const seed = String(io.pid)
    const place = state.roles.find(({ role }) => role === 'gateway')
    const request = place && requestTo(place.url)
    const width = io.out.isTTY ? io.out.columns : undefined
    const text = {
      rows,
      seed,
      ...(width !== undefined && { width }),
      ...(shown !== undefined && { token: shown }),
      ...(request && { request }),
    }
    // nobody looks on where a log is collected, whose lines are all JSON
    const isLogged = planned.configured.settings.log.format === 'json' && !io.out.isTTY
    if (!options.quiet && !isLogged) session.print(readyText(text))
  }
}

/** How a shell gets the token that isn't printed. */
function tokenCommand(scopes: readonly string[], data: string | undefined): string {
  const folder = data === undefined ? '' : ` --data '${data.replaceAll("'", `'\\''`)}'`
  const scope = scopes.length === 0 ? '' : ` --scope ${scopes.join(',')}`
  return `$(msvc token --subject ${SUBJECT}${scope}${folder})`
}

async function answeringServices({ wish, configured, roles }: WelcomePlan): Promise<AnsweringServices> {
  const { wantedServices } = await import('../services/service-plans.ts')
  const running = new Set(roles.map(({ job }) => job.role))
  return new Map<string, string | undefined>([
    ...configured.roles.flatMap(({ name, service }) => (running.has(name) ? [[service, undefined] as const] : [])),
    ...Object.entries(wantedServices(configured.own, wish)).map(
      ([name, { ready }]) => [name, ready.by === 'http' ? ready.path : undefined] as const,
    ),
  ])
}
