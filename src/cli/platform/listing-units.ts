import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { routeLines } from '../render/route-lines.ts'
import { unitTable } from '../render/unit-table.ts'
import { configureClient } from '../session/configuration.ts'
import { type RunState, readRunStates } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { silence } from './answering.ts'
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
    const { units, silent } = await unitsOn(settings.data, io.signal)
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
    const width = io.out.isTTY ? io.out.columns : undefined
    const tables = [unitTable(rows, now, width), routeLines(rows, width)].filter((text) => text !== '').join('\n\n')
    session.print(`${watch && io.out.isTTY ? AFRESH : ''}${tables}`)
    session.printJson({ units: units.map((row) => told(row, figures)) })
    if (silent !== undefined) session.messages.warn(`${silent}; it is shown as it was before`)
    if (watch) await pause(AGAIN_MS, io.signal)
  } while (watch && !io.signal.aborted)
}

/** What runs on a data folder, and what is to be said of a platform that gives no answer. */
interface Listed {
  readonly units: readonly UnitRow[]
  readonly silent?: string
}

/** What `msvc up` says of its units; as its file says while it starts or gives no answer, and for what is served alone. */
async function unitsOn(data: string, signal: AbortSignal): Promise<Listed> {
  const states = await readRunStates(data)
  const answers = await Promise.all(
    states.map(async (state) => {
      const answer = await asked(data, state, signal)
      return { rows: typeof answer === 'object' ? answer.units : rowsOf(state), isSilent: answer === 'silent' }
    }),
  )
  const units = answers.flatMap(({ rows }) => rows)
  return answers.some(({ isSilent }) => isSilent) ? { units, silent: await silence(data) } : { units }
}

/** What a platform itself says; undefined while it takes no requests. */
async function asked(data: string, { units }: RunState, signal: AbortSignal) {
  // what is served alone plans none, and takes no requests
  return units.length === 0 ? undefined : askUnits(data, signal)
}

const STATES = {
  ready: 'ready',
  silent: 'silent',
  down: 'backing-off',
  finished: 'finished',
  failed: 'failed',
} as const

function rowsOf({ roles, portless, starting }: RunState): readonly UnitRow[] {
  return [
    ...roles.map(({ unit, service, url, state, pid }) => ({
      unit,
      service,
      url,
      state: STATES[state],
      ...(pid !== undefined && { pid }),
    })),
    ...portless.map(({ state, ...row }) => ({ ...row, state: STATES[state] })),
    ...starting.map((unit) => ({ unit, state: 'starting' as const })),
  ]
}

/** A unit as programs get it: each of its fields is always there, null where there is nothing to say. */
export function told(row: UnitRow, figures: ReadonlyMap<number, ProcessFigures>) {
  const { cpu, memory } = figuresOf(row.pid, figures)
  return {
    unit: row.unit,
    service: row.service ?? null,
    state: row.state,
    words: row.words ?? null,
    doing: row.doing ?? null,
    pid: row.pid ?? null,
    port: portOf(row.url) ?? null,
    url: row.url ?? null,
    routes: row.routes ?? null,
    since: row.since ?? null,
    restarts: row.restarts ?? null,
    restart_budget: row.restart_budget ?? null,
    ends_in_a_row: row.ends_in_a_row ?? null,
    next_start: row.next_start ?? null,
    ended: row.ended ?? null,
    cpu: cpu === undefined ? null : Math.round(cpu * 1_000) / 1_000,
    memory_bytes: memory ?? null,
  }
}

const figuresOf = (pid: number | undefined, figures: ReadonlyMap<number, ProcessFigures>): Partial<ProcessFigures> =>
  (pid === undefined ? undefined : figures.get(pid)) ?? {}

const portOf = (url: string | undefined): number | undefined =>
  url === undefined ? undefined : Number(new URL(url).port) || undefined
