import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { unitTable } from '../render/unit-table.ts'
import { configureClient } from '../session/configuration.ts'
import { type RunState, readRunStates } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { askUnits } from './ask-units.ts'
import { type ProcessFigures, processFigures } from './process-figures.ts'

const AGAIN_MS = 1_000
/** Moves a terminal's cursor to its beginning and clears what is behind. */
const AFRESH = '\x1b[H\x1b[J'

/** Prints what runs on the data folder, once or again and again. Throws AppError `UNAVAILABLE` when nothing does. */
export async function listUnits(session: Session, watch: boolean): Promise<void> {
  const { io } = session
  const { settings } = await configureClient(session)
  do {
    const units = await unitsOn(settings.data, io.signal)
    if (units.length === 0 && !watch) {
      throw new AppError(
        'UNAVAILABLE',
        `nothing runs on ${settings.data}; start it with msvc up, or name another folder with --data`,
      )
    }
    const pids = [...new Set(units.flatMap(({ pid }) => pid ?? []))]
    const figures = await processFigures(pids, io.signal)
    const now = Date.now()
    const rows = units.map((row) => ({ ...row, ...figuresOf(row.pid, figures), port: portOf(row.url) }))
    const table = unitTable(rows, now, io.out.isTTY ? io.out.columns : undefined)
    session.print(`${watch && io.out.isTTY ? AFRESH : ''}${table}`)
    session.printJson({ units: units.map((row) => told(row, figures)) })
    if (watch) await pause(AGAIN_MS, io.signal)
  } while (watch && !io.signal.aborted)
}

/** What `msvc up` says of its units; as its file says while it starts, and for what is served alone. */
async function unitsOn(data: string, signal: AbortSignal): Promise<readonly UnitRow[]> {
  const states = await readRunStates(data)
  const rows = await Promise.all(states.map(async (state) => (await asked(data, state, signal)) ?? rowsOf(state)))
  return rows.flat()
}

/** What a platform itself says; undefined while it takes no requests. */
async function asked(data: string, { pid, roles }: RunState, signal: AbortSignal) {
  // what is served alone takes none
  if (roles.length === 1 && roles[0]?.pid === pid) return undefined
  return (await askUnits(data, signal))?.units
}

const STATES = { ready: 'ready', silent: 'silent', down: 'backing-off' } as const

function rowsOf({ roles, starting }: RunState): readonly UnitRow[] {
  return [
    ...roles.map(({ unit, service, url, state, pid }) => ({
      unit,
      service,
      url,
      state: STATES[state],
      ...(pid !== undefined && { pid }),
    })),
    ...starting.map((unit) => ({ unit, state: 'starting' as const })),
  ]
}

/** A row as programs get it. */
function told({ unit, service, state, doing, pid, url, restarts, since, ended }: UnitRow, figures: Figures) {
  const { cpu, memory } = figuresOf(pid, figures)
  return {
    unit,
    service: service ?? null,
    state,
    pid: pid ?? null,
    port: portOf(url) ?? null,
    restarts: restarts ?? null,
    url: url ?? null,
    since: since ?? null,
    doing: doing ?? null,
    ended: ended ?? null,
    cpu: cpu === undefined ? null : Math.round(cpu * 1_000) / 1_000,
    memory_bytes: memory ?? null,
  }
}

type Figures = ReadonlyMap<number, ProcessFigures>

const figuresOf = (pid: number | undefined, figures: Figures): Partial<ProcessFigures> =>
  (pid === undefined ? undefined : figures.get(pid)) ?? {}

const portOf = (url: string | undefined): number | undefined =>
  url === undefined ? undefined : Number(new URL(url).port) || undefined
