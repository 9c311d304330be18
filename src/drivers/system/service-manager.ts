/** A socket that was open before this process began, and listens already. */
export interface HandedSocket {
  /** Its descriptor in this process. */
  readonly fd: number
  /** FileDescriptorName= of its unit; empty where it has none. */
  readonly name: string
}

/** What the service manager that started this process says to it: systemd, or what speaks as it does. */
export interface ServiceManager {
  /** Where it is told how this process does; undefined where it doesn't want to know. */
  readonly notifySocket: string | undefined
  /** It ends this process when it has had no sign of life for so long, milliseconds; undefined where it wants none. */
  readonly watchdogMs: number | undefined
  readonly sockets: readonly HandedSocket[]
}

/** The variables by which it says so. Whoever this process starts has no business with them. */
export const MANAGER_VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
] as const

/** The variables by which a process that becomes another program hands on what it was told. Sockets aren't: they are closed then. */
export function managerVariables({ notifySocket, watchdogMs }: ServiceManager): Readonly<Record<string, string>> {
  return {
    ...(notifySocket !== undefined && { NOTIFY_SOCKET: notifySocket }),
    ...(watchdogMs !== undefined && { WATCHDOG_USEC: `${Math.round(watchdogMs * 1_000)}` }),
  }
}

/** The first descriptor that is handed over (sd_listen_fds(3), SD_LISTEN_FDS_START). */
const FIRST_FD = 3
/** More than any unit has; beyond it the number is a mistake. */
const MOST_SOCKETS = 1_024

/**
 * Reads what a service manager says by variables (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)). What is meant for another process, or is no
 * number, is not heeded.
 * @param pid this process
 * @returns undefined where there is nothing to heed
 * @example readServiceManager({ LISTEN_FDS: '1', LISTEN_PID: '7', LISTEN_FDNAMES: 'gateway' }, 7)?.sockets // [{ fd: 3, name: 'gateway' }]
 */
export function readServiceManager(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): ServiceManager | undefined {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES = '' } = environment
  const notifySocket = NOTIFY_SOCKET === undefined || !/^[/@]./.test(NOTIFY_SOCKET) ? undefined : NOTIFY_SOCKET
  const micros = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid ? countOf(WATCHDOG_USEC) : 0
  const names = LISTEN_FDNAMES.split(':')
  const count = countOf(LISTEN_PID) === pid ? Math.min(countOf(LISTEN_FDS), MOST_SOCKETS) : 0
  const sockets = Array.from({ length: count }, (_, index) => ({ fd: FIRST_FD + index, name: names[index] ?? '' }))
  if (notifySocket === undefined && sockets.length === 0) return undefined
  return { notifySocket, watchdogMs: micros > 0 ? micros / 1_000 : undefined, sockets }
}

/** A whole number from 0 up; what is none counts as 0. */
function countOf(text = ''): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : 0
  return Number.isSafeInteger(count) ? count : 0
}
