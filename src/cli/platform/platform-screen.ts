import type { Clock } from '../../drivers/clock.ts'
import type { UnitChange, UnitReport } from '../../kit/supervisor/unit-state.ts'
import type { LogSink } from '../../kit/telemetry/log.ts'
import { unitLines } from '../render/unit-lines.ts'
import type { Terminal } from '../terminal/io.ts'
import { createMessages, type Messages } from '../terminal/messages.ts'
import { createProgress } from '../terminal/progress.ts'
import { createHeldEntries } from './held-entries.ts'
import { createUnitOutput, type LogOutputOptions, logOutput, type SinkOf, unitLogOutput } from './log-output.ts'
import { createStartTimes, startingUnits } from './starting-units.ts'
import { showStopping, tellChange } from './unit-reports.ts'

/**
 * What a person sees of a platform on stderr: while it starts a line a unit, and above these only what goes wrong; then what units say, their names
 * before it. Where nobody looks on, plain lines all the time.
 */
export interface PlatformScreen {
  /** For what is to stand above the lines of units. */
  readonly err: Terminal
  readonly messages: Messages
  /** Takes a line of a role's process. */
  readonly take: (unit: string, line: string) => void
  /** Where the entries of a unit go; nowhere before it has begun. */
  readonly sinkOf: SinkOf
  /** From now on it is known how entries are to look. */
  begin(format: 'text' | 'json', units: readonly string[]): Promise<void>
  /** Tells of a unit's change. @param reports all units as they are when it is drawn */
  changed(change: UnitChange, reports: () => readonly UnitReport[]): void
  /** Everything is to stop. */
  stopping(reports: readonly UnitReport[]): void
  /** All has started as far as it does. The lines of units are taken away before `say` prints where everything is. */
  ready(reports: readonly UnitReport[], say: () => void): void
  /** Leaves the screen as it is. */
  end(): void
}

/** Whose entries messages are. */
const OWN = { service: 'msvc', instance: 'msvc' }

/** Makes the screen of a platform. */
export function createPlatformScreen({ io, options }: LogOutputOptions, clock: Clock): PlatformScreen {
  const quiet = options.quiet ?? false
  const isLive = io.err.isTTY && !quiet
  const progress = createProgress(quiet ? { ...io.err, isTTY: false } : io.err)
  let log: LogSink | undefined
  const messages = createMessages(
    progress.above,
    quiet,
    () =>
      log && ((level, message) => log?.({ timestamp: new Date(clock.now()).toISOString(), ...OWN, level, message })),
  )
  const output = createUnitOutput({ io: { err: progress.above } })
  const times = createStartTimes(() => clock.monotonic())
  let sinks: SinkOf = () => () => {}
  const held = createHeldEntries((unit, entry) => sinks(unit)(entry))
  let at: 'starting' | 'ready' | 'stopping' = 'starting'

  const sinkOf: SinkOf = (unit) => (isLive ? (entry) => held.take(unit, entry) : sinks(unit))

  return {
    err: progress.above,
    messages,
    take: output.take,
    sinkOf,
    async begin(format, units) {
      sinks = await unitLogOutput({ io: { err: progress.above }, options }, format, units)
      output.begin(sinkOf)
      // who reads JSON, line by line, reads what is said of units so too
      if (format === 'json' && !io.err.isTTY) log = await logOutput({ io, options }, format)
    },
    changed(change, reports) {
      times.note(change)
      if (isLive && at === 'starting') {
        const { state, unit } = change
        if (state.at === 'backing-off' || state.at === 'failed') held.explain(unit.name)
        progress.showLines((view) => unitLines(startingUnits(reports(), times), view))
        return
      }
      tellChange(change, messages, at !== 'starting')
      if (at === 'stopping') showStopping(reports(), progress)
    },
    stopping(reports) {
      at = 'stopping'
      showStopping(reports, progress)
    },
    ready(reports, say) {
      if (at === 'starting') at = 'ready'
      progress.end()
      say()
      // what roles say at their start is said by the addresses
      const services = reports.flatMap(({ unit }) => (unit.essential ? [] : [unit.name]))
      held.release(new Set(services), new Date(clock.now()).toISOString())
    },
    end: progress.end,
  }
}
