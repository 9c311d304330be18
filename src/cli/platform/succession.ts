import { execFile } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { promisify } from 'node:util'
import { holdPort } from '../../drivers/system/held-port.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { LaunchedRole } from '../../kit/supervisor/role-unit.ts'
import type { UnitReport } from '../../kit/supervisor/unit-state.ts'
import { isNewer } from '../../kit/version-order.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'

/** The unit whose port stays open while the platform becomes another program. */
export const ENTRANCE = 'gateway'
/** How long the new program may take to say its version or check the configuration, milliseconds. */
const LOOK_MS = 30_000

const run = promisify(execFile)

/** What is needed to become another program. */
export interface SuccessionOptions {
  readonly session: Pick<Session, 'io' | 'options'>
  /** Whether all roles run in this one process. */
  readonly isOneProcess: boolean
  readonly reports: () => readonly UnitReport[]
  readonly launched: ReadonlyMap<string, LaunchedRole>
  /** Stops the platform, to become the program that is there now. */
  readonly begin: () => void
}

/** How a running platform becomes the program that lies at its place now. */
export interface Succession {
  /**
   * Looks whether that program can take over, holds the gateway's port open, and begins to stop. Gives the version that runs until then. Rejects with an AppError, and
   * all runs on, when it can't: `NOT_IMPLEMENTED`, `CONFLICT` for another version than the one who asks has, or an older one, `CONFIG_INVALID`, `UNAVAILABLE`.
   * @param version of who asks
   */
  begin(version: string): Promise<{ readonly from: string }>
}

/** Makes the succession of this platform. */
export function createSuccession({ session, isOneProcess, reports, launched, begin }: SuccessionOptions): Succession {
  const { io } = session
  let underWay: Promise<{ readonly from: string }> | undefined

  async function prepare(version: string) {
    if (isOneProcess || !io.become) {
      const why = isOneProcess ? 'runs in one process' : 'is on a system where a process can not become another program'
      throw new AppError(
        'NOT_IMPLEMENTED',
        `this platform ${why}: msvc down stops it, and msvc up starts the new version`,
      )
    }
    await inspect(session, version)
    await lend()
    begin()
    return { from: VERSION }
  }

  /** Has the gateway listen on a socket alone that stays when it ends. */
  async function lend(): Promise<void> {
    const state = reports().find(({ unit }) => unit.name === ENTRANCE)?.state
    const gateway = launched.get(ENTRANCE)
    if (state?.at !== 'ready' || state.url === undefined || !gateway) return
    const { hostname, port } = new URL(state.url)
    const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''))
    try {
      await gateway.take({ step: 'join' }, io.holdsPort ? undefined : holdPort(address, Number(port)))
    } catch (cause) {
      const why = `the gateway's port can't be kept open meanwhile (${messageOf(cause)})`
      throw new AppError('UNAVAILABLE', `${why}: msvc down stops the platform, and msvc up starts the new version`, {
        cause,
      })
    }
  }

  return {
    begin(version) {
      underWay ??= prepare(version).catch((fault: unknown) => {
        underWay = undefined
        throw fault
      })
      return underWay
    },
  }
}

/** Looks at the program that lies at this one's place: it must be the one that is asked for, no older than this one, and content with the configuration. */
async function inspect({ io, options }: SuccessionOptions['session'], asked: string): Promise<void> {
  const [program, ...before] = io.self
  const how = { cwd: io.folder, env: io.environment, timeout: LOOK_MS }
  const there = await run(program, [...before, '--version'], how).then(
    ({ stdout }) => stdout.trim(),
    (cause: unknown) => {
      throw new AppError('CONFLICT', `${before.at(-1) ?? program} does not run: ${messageOf(cause)}`, { cause })
    },
  )
  const place = before.at(-1) ?? program
  if (there !== asked) {
    const what = `${place}, by which the platform was started, is version ${there} and this is ${asked}`
    throw new AppError('CONFLICT', `${what}: put this one in its place`)
  }
  if (isNewer(VERSION, there)) {
    const what = `the platform runs version ${VERSION}, and ${place} is ${there}`
    throw new AppError('CONFLICT', `${what}: the way back is a backup from before (docs/upgrades.md)`)
  }
  const by = [
    ...(options.config === undefined ? [] : ['--config', options.config]),
    ...(options.data === undefined ? [] : ['--data', options.data]),
  ]
  await run(program, [...before, 'check', '--quiet', ...by], how).catch((cause: { stderr?: string }) => {
    const faults = (cause.stderr ?? '').split('\n').flatMap((line) => /^error: (.+)$/.exec(line)?.[1] ?? [])
    throw new AppError('CONFIG_INVALID', [`version ${there} refuses the configuration:`, ...faults].join('\n'), {
      cause,
    })
  })
}
