import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { columns } from '../render/columns.ts'
import { routeLines } from '../render/route-lines.ts'
import type { FirstRequest } from './first-request.ts'

export interface ReadyOptions {
  readonly rows: readonly UnitRow[]
  /** Columns that there is room for. Default: no limit. */
  readonly width?: number
  /** A token for the gateway, or the command that makes one, as a shell is told; absent when there is no gateway. */
  readonly token?: string
  /** Absent when there is no gateway, or it routes nothing. */
  readonly request?: FirstRequest
  /** Part of the name of the user that the first request makes, so that it can be made on a used data folder too. */
  readonly seed: string
}

const NONE = '-'

/**
 * What `msvc up` prints once everything is ready: who runs where, how those are that aren't ready, what the gateway passes on, and a first request. The lines to copy start at the margin
 * and are no wider than 80 columns but for the token's, which a terminal wraps by itself without breaking it.
 */
export function readyText({ rows, width, token, request, seed }: ReadyOptions): string {
  const isWell = rows.every(({ state }) => state === 'ready')
  const table = columns(
    [
      ['UNIT', 'SERVICE', 'ADDRESS', isWell ? 'PID' : 'STATE'],
      ...rows.map(({ unit, service, url, pid, state, words = state }) => [
        unit,
        service ?? NONE,
        url ?? NONE,
        isWell ? String(pid ?? NONE) : words,
      ]),
    ],
    width,
  )
  const routes = routeLines(rows, width)
  const places = routes === '' ? table : `${table}\n\n${routes}`
  if (!request || token === undefined) return `\n${places}\n`
  const { method, url, host, makesUser } = request
  const user = `'{"username":"ann-${seed}","email":"ann-${seed}@example.com"}'`
  const lines = [
    `curl -i ${method === 'GET' || makesUser ? '' : `-X ${method} `}${url}`,
    ...(host === undefined ? [] : [`-H 'Host: ${host}'`]),
    `-H "Authorization: Bearer $TOKEN"${makesUser ? " -H 'Content-Type: application/json'" : ''}`,
    ...(makesUser ? [`-d ${user}`] : []),
  ]
  return `
${places}

A token for an hour, and a first request:

TOKEN=${token}
${lines.join(' \\\n')}
`
}
