import { execFile } from 'node:child_process'

/** Comes with systemd: Node has no datagram sockets of the system's own family, which it is told by. */
const PROGRAM = 'systemd-notify'
/** What doesn't answer by then is ended: the next one says it again, milliseconds. */
const PATIENCE_MS = 5_000

/** Tells a service manager how this process does. */
export interface Notifier {
  /** Tells it something, by the words of sd_notify(3) such as `READY`; never waits. What comes while it is told the last is told together. */
  tell(words: Readonly<Record<string, string>>): void
  /** Resolves once it knows all that it was told by now. */
  told(): Promise<void>
}

/** How to reach a service manager. */
export interface NotifierOptions {
  /** Its NOTIFY_SOCKET. */
  readonly socket: string
  /** Where programs are found. */
  readonly path: string | undefined
  /** Told once why it can't be told. */
  readonly onFault: (fault: Error) => void
}

/** Makes what tells a service manager, by a process for each time. */
export function createNotifier({ socket, path, onFault }: NotifierOptions): Notifier {
  const waiting = new Map<string, string>()
  let telling: Promise<void> | undefined
  let isFaulty = false

  async function tellAll() {
    while (waiting.size > 0) {
      // one line each
      const lines = [...waiting].map(([name, value]) => `${name}=${value.replaceAll(/\s+/g, ' ')}`)
      waiting.clear()
      await tellLines(lines)
    }
    telling = undefined
  }

  function tellLines(lines: readonly string[]): Promise<void> {
    const env = { NOTIFY_SOCKET: socket, ...(path !== undefined && { PATH: path }) }
    return new Promise((resolve) => {
      execFile(PROGRAM, lines, { env, timeout: PATIENCE_MS }, (fault) => {
        if (fault && !isFaulty) onFault(fault)
        if (fault) isFaulty = true
        resolve()
      })
    })
  }

  return {
    tell(words) {
      for (const [name, value] of Object.entries(words)) waiting.set(name, value)
      telling ??= tellAll()
    },
    told: async () => telling,
  }
}
