import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import { connectControl } from '../../kit/supervisor/control-client.ts'
import { Upgrading } from '../../kit/supervisor/control-protocol.ts'
import { statFields } from '../../kit/supervisor/process-stat.ts'
import { configureClient } from '../session/configuration.ts'
import { type RunState, readRunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'
import { createProgress } from '../terminal/progress.ts'
import { askUnits } from './ask-units.ts'
import { tellUnready } from './unready.ts'

/** How often it is looked how far it is, milliseconds. */
const LOOK_MS = 50
/** How long nothing may run on the data folder between the two, milliseconds: a busy machine takes some of it to load the new one. */
const GONE_MS = 60_000

/**
 * `msvc upgrade`: has the platform on the data folder become the program that lies at its place now, which must be this one; resolves when it has started. Throws AppError `UNAVAILABLE`
 * when none runs there or it doesn't come back, and the platform's own refusal, after which all runs on.
 */
export async function askUpgrade(session: Session): Promise<void> {
  const { io, options } = session
  const { data } = (await configureClient(session)).settings
  const control = await connectControl(controlAddress(data)).catch((cause: unknown) => {
    throw new AppError(
      'UNAVAILABLE',
      `no platform runs on ${data}; start it with msvc up, or name another folder with --data`,
      { cause },
    )
  })
  const progress = createProgress(options.quiet ? { ...io.err, isTTY: false } : io.err)
  try {
    progress.show('looking whether the new version can take over')
    const before = await readRunState(data)
    await tellForgotten(session, data)
    const { from } = await control.ask({ do: 'upgrade', version: VERSION }, Upgrading, io.leaving)
    progress.show('the platform begins anew')
    const begun = await begunAnew(data, before, io.leaving)
    progress.end()
    if (!begun) return
    const { units, version } = begun
    if (version !== VERSION)
      throw new AppError(
        'UNAVAILABLE',
        `the platform goes on with ${version}: what lay at its place was no ${VERSION} any more when it came to it`,
      )
    session.printJson({ from, to: VERSION, pid: before?.pid ?? null })
    session.print(
      from === VERSION
        ? `the platform has begun anew, with ${VERSION}`
        : `the platform runs ${VERSION} now; it was ${from}`,
    )
    tellUnready(session, units)
  } finally {
    progress.end()
    control.close()
  }
}

/** Says what won't be as it was: the new version begins with what file and flags say. */
async function tellForgotten({ io, messages }: Session, data: string): Promise<void> {
  const told = await askUnits(data, io.leaving)
  const stopped = typeof told === 'object' ? told.units.filter(({ state }) => state === 'stopped') : []
  if (stopped.length === 0) return
  const names = stopped.map(({ unit }) => unit).join(', ')
  messages.warn(`stopped now, and started with the new version: ${names}`)
}

/** The platform that follows, once it has started: its units and its version; undefined when the signal fires. */
async function begunAnew(data: string, before: RunState | undefined, signal: AbortSignal) {
  let seen = performance.now()
  while (!signal.aborted) {
    const state = await readRunState(data)
    if (state) seen = performance.now()
    if (state && state.began !== before?.began) {
      const told = await askUnits(data, signal)
      if (typeof told === 'object' && told.started) return { units: told.units, version: state.version }
    }
    const isGone = before && process.platform === 'linux' && !state && !(await statFields(before.pid))
    if (isGone || performance.now() - seen > GONE_MS) {
      throw new AppError(
        'UNAVAILABLE',
        `the new version did not start on ${data}: its own output says why (${data}/up.log with --detach); docs/upgrades.md has the way back`,
      )
    }
    await pause(LOOK_MS, signal)
  }
  return undefined
}
