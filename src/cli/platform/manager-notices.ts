import { createNotifier, type Notifier } from '../../drivers/system/notifier.ts'
import type { ServiceManager } from '../../drivers/system/service-manager.ts'
import type { UnitState } from '../../kit/supervisor/unit-state.ts'
import type { Io } from '../terminal/io.ts'

/** How long a start may take from each sign of life on, milliseconds: databases are brought up to date in it. */
const START_MS = 60_000
/** How often a start gives one, milliseconds. */
const START_BEAT_MS = 20_000

/** What the service manager is told of this process (sd_notify(3)); nothing where there is none. */
export interface ManagerNotices {
  /** What it does now. @param doing for people, such as `Starting: order` */
  doing(doing: string): void
  /** It does what it is there for. */
  ready(doing: string): void
  /** It ends, in order. */
  stopping(doing: string): void
  /** It ends, in order, and becomes another program, which tells when it is ready. */
  renewing(doing: string): void
  /** Tells no more, once all is told. */
  close(): Promise<void>
}

/**
 * Makes what tells the service manager. A sign of life goes to it at half of the time that it waits for one: from this process's own loop, so that it fails to
 * come when that hangs.
 * @param warn told once when it can't be told
 */
export function managerNotices(
  { serviceManager, environment, predecessor }: Pick<Io, 'serviceManager' | 'environment' | 'predecessor'>,
  warn: (words: string) => void,
): ManagerNotices {
  const socket = serviceManager?.notifySocket
  if (serviceManager === undefined || socket === undefined) return NOBODY
  const onFault = (fault: Error) =>
    warn(`the service manager can't be told how this does, which it waits for: ${reasonOf(fault)}`)
  const notifier = createNotifier({ socket, path: environment.PATH, onFault })
  return noticesBy(notifier, serviceManager, predecessor !== undefined)
}

/** The same, by a way to tell it. @param isAwaited whether signs of life are waited for already, as the program before this one gave them. Default false */
export function noticesBy(
  notifier: Notifier,
  { watchdogMs }: Pick<ServiceManager, 'watchdogMs'>,
  isAwaited = false,
): ManagerNotices {
  let isStopping = false
  const live = () => notifier.tell({ WATCHDOG: '1' })
  const beatLive = () => (watchdogMs === undefined ? undefined : setInterval(live, watchdogMs / 2).unref())
  let beat = isAwaited ? beatLive() : undefined
  if (beat) live()
  const extend = () => notifier.tell({ EXTEND_TIMEOUT_USEC: `${START_MS * 1_000}` })
  const extending = setInterval(extend, START_BEAT_MS).unref()
  return {
    doing(doing) {
      if (!isStopping) notifier.tell({ STATUS: doing })
    },
    ready(doing) {
      notifier.tell({ READY: '1', STATUS: doing })
      clearInterval(extending)
      beat ??= beatLive()
    },
    stopping(doing) {
      isStopping = true
      notifier.tell({ STOPPING: '1', STATUS: doing })
    },
    renewing(doing) {
      isStopping = true
      const micros = process.hrtime.bigint() / 1_000n
      notifier.tell({ RELOADING: '1', MONOTONIC_USEC: `${micros}`, STATUS: doing })
    },
    async close() {
      clearInterval(extending)
      clearInterval(beat)
      await notifier.told()
    },
  }
}

/**
 * How units do, in a line for the service manager's status.
 * @example unitsInWords(reports) // 'Starting: order. Ready: registry, user'
 */
export function unitsInWords(
  reports: readonly { readonly unit: { readonly name: string }; readonly state: { readonly at: UnitState['at'] } }[],
): string {
  const groups = Object.groupBy(reports, ({ state }) => STATE_WORDS[state.at])
  return ORDER.flatMap((word) => {
    const names = groups[word]?.map(({ unit }) => unit.name)
    return names ? [`${word}: ${names.join(', ')}`] : []
  }).join('. ')
}

const STATE_WORDS = {
  waiting: 'Starting',
  starting: 'Starting',
  ready: 'Ready',
  silent: 'Silent',
  'backing-off': 'To be started again',
  finished: 'Finished',
  failed: 'Failed',
  stopped: 'Stopped',
} as const satisfies Record<UnitState['at'], string>
/** What needs a person first. */
const ORDER = ['Failed', 'Silent', 'To be started again', 'Starting', 'Ready', 'Finished', 'Stopped'] as const

function reasonOf(fault: Error): string {
  return 'code' in fault && fault.code === 'ENOENT'
    ? 'systemd-notify is not there; it comes with systemd, or set Type=exec in the unit'
    : fault.message
}

const NOBODY: ManagerNotices = { doing() {}, ready() {}, stopping() {}, renewing() {}, async close() {} }
