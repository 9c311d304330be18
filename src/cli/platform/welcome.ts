import type { Authority } from '../../kit/auth/authority.ts'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import type { RolePlan } from '../../kit/supervisor/role-unit.ts'
import { GATEWAY_SERVICE } from '../../roles/gateway/contract.ts'
import type { RunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'

/** Who the first request is made as, and what the token for it may do. */
const SUBJECT = 'ann'
const SCOPES = ['users:read', 'users:write', 'orders:read', 'orders:write']

/** Says where everything is, and how to begin. @param rows all that there is, ready or not */
export type Welcome = (state: RunState, rows: readonly UnitRow[]) => void

/** Makes ready, while the roles start, what says where everything is and how to begin. */
export async function prepareWelcome(
  session: Session,
  plans: readonly RolePlan[],
  authority: Authority,
): Promise<Welcome> {
  const { io, options } = session
  const gateway = plans.find(({ job }) => job.role === 'gateway')?.job
  // what isn't a terminal is kept: by a log, a pipeline, somebody else's screen
  const isSeen = gateway !== undefined && io.out.isTTY
  const [{ readyText }, { firstRequest }] = await Promise.all([import('./ready-text.ts'), import('./first-request.ts')])
  const requestTo = (url: string) => gateway && firstRequest(gateway.section, gateway.settings, url)
  const wanted = requestTo('http://127.0.0.1:0')?.scopes ?? []
  const scopes = [...new Set([...SCOPES, ...wanted])]
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
    if (!options.quiet) session.print(readyText(text))
  }
}

/** How a shell gets the token that isn't printed. */
function tokenCommand(scopes: readonly string[], data: string | undefined): string {
  const folder = data === undefined ? '' : ` --data '${data.replaceAll("'", `'\\''`)}'`
  return `$(msvc token --subject ${SUBJECT} --scope ${scopes.join(',')}${folder})`
}
