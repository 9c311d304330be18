import { lookup } from 'node:dns/promises'
import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { holdPort } from '../../drivers/system/held-port.ts'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { LaunchedRole } from '../../kit/supervisor/role-unit.ts'
import type { UnitReport } from '../../kit/supervisor/unit-state.ts'
import { isNewer } from '../../kit/version-order.ts'
import { ENTRANCE } from '../plan/entrance.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'
import { askProgram, type ProgramAnswer } from './asked-program.ts'

/** As each msvc says it. */
const VERSION_FORM = /^\d+\.\d+\.\d+(?:-\S+)?$/
/** How long the new program may take to say its version or check the configuration, milliseconds. */
const LOOK_MS = 30_000

/** What is needed to become another program. */
export interface UpgradeOptions {
  readonly session: Pick<Session, 'io' | 'options' | 'messages'>
  /** Whether all roles run in this one process. */
  readonly isOneProcess: boolean
  readonly reports: () => readonly UnitReport[]
  readonly launched: ReadonlyMap<string, LaunchedRole>
  /** Stops the platform, to become the program that is there now. */
  readonly begin: () => void
}

/** How a running platform becomes the program that lies at its place now. */
export interface Upgrade {
  /**
   * Looks whether that program can take over, holds the gateway's port open, and begins to stop. Gives the version that runs until then. Rejects with an AppError, and
   * all runs on, when it can't: `NOT_IMPLEMENTED`, `CONFLICT` for another version than the one who asks has, or an older one, `CONFIG_INVALID`, `UNAVAILABLE`.
   * @param version of who asks
   */
  begin(version: string): Promise<{ readonly from: string }>
  /**
   * Becomes it, once all has stopped; the program that runs begins anew where something else lies there by now. Rejects with AppError `INTERNAL` when neither can be run.
   */
  become(): Promise<void>
}

/** A program that was looked at. */
interface Looked {
  readonly version: string
  /** By which it is told from what may lie there later. */
  readonly identity: string
}

/** Makes the upgrade of this platform. */
export function createUpgrade({ session, isOneProcess, reports, launched, begin }: UpgradeOptions): Upgrade {
  const { io, messages } = session
  let underWay: Promise<{ readonly from: string }> | undefined
  let looked: Looked | undefined
  let port = io.predecessor?.port

  async function prepare(version: string) {
    refuseUnable()
    looked = await inspect(session, version)
    await lend()
    begin()
    return { from: VERSION }
  }

  /** Throws AppError `NOT_IMPLEMENTED` for a platform that can't become another program, or has a better way. */
  function refuseUnable(): void {
    if (io.serviceManager && io.serviceManager.sockets.length > 0)
      throw new AppError(
        'NOT_IMPLEMENTED',
        "the service manager holds this platform's socket, and keeps it open: have it restart the platform (systemctl restart), which begins as the new version",
      )
    if (!isOneProcess && io.become) return
    const why = isOneProcess ? 'runs in one process' : 'is on a system where a process can not become another program'
    throw new AppError(
      'NOT_IMPLEMENTED',
      `this platform ${why}: msvc down stops it, and msvc up starts the new version`,
    )
  }

  /** Has the gateway listen on a socket alone that stays when it ends. */
  async function lend(): Promise<void> {
    const state = reports().find(({ unit }) => unit.name === ENTRANCE)?.state
    const gateway = launched.get(ENTRANCE)
    if (state?.at !== 'ready' || state.url === undefined || !gateway) return
    const { hostname, port: text } = new URL(state.url)
    const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''))
    port = Number(text)
    try {
      await gateway.take({ step: 'join' }, io.predecessor?.holdsPort ? undefined : holdPort(address, port))
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
    async become() {
      const isSound = looked !== undefined && (await isStillThere(session, looked))
      if (!isSound)
        messages.error(
          `${placeOf(io)} was changed after it was looked at: the platform goes on with version ${VERSION}`,
        )
      io.become?.({ isSound, ...(port !== undefined && { port }) })
    },
  }
}

type Looking = Pick<Session, 'io' | 'options'>

/** How the program at this one's place is started. */
const commandOf = (io: Looking['io']) => io.place ?? io.self

/** The file that people put there. */
const placeOf = (io: Looking['io']) => commandOf(io).at(-1) ?? ''

/** Looks at the program that lies at this one's place: it must be the one that is asked for, no older than this one, and content with the configuration. */
async function inspect(session: Looking, asked: string): Promise<Looked> {
  const { io, options } = session
  const place = placeOf(io)
  const identity = await identityOf(io)
  const there = await versionOf(io)
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
  const { code, err } = await ask(io, ['check', '--quiet', ...by])
  if (code !== 0) {
    const faults = err.split('\n').flatMap((line) => /^error: (.+)$/.exec(line)?.[1] ?? [])
    throw new AppError('CONFIG_INVALID', [`version ${there} refuses the configuration:`, ...faults].join('\n'))
  }
  return { version: there, identity }
}

/** Whether the program that was looked at lies there still, or else one that runs and says the same version. */
async function isStillThere({ io }: Looking, { version, identity }: Looked): Promise<boolean> {
  if ((await identityOf(io)) === identity) return true
  return versionOf(io).then(
    (there) => there === version,
    () => false,
  )
}

/** The version of the program at this one's place. Rejects with AppError `CONFLICT` where it doesn't run, or is something else. */
async function versionOf(io: Looking['io']): Promise<string> {
  const { code, out, err } = await ask(io, ['--version'])
  const said = out.trim()
  if (code === 0 && VERSION_FORM.test(said)) return said
  const why = code === 0 ? `it is no msvc: asked for its version it says ${JSON.stringify(said.slice(0, 80))}` : err
  throw new AppError('CONFLICT', `${placeOf(io)} does not run: ${why.trim() || `exit code ${code}`}`)
}

function ask(io: Looking['io'], args: readonly string[]): Promise<ProgramAnswer> {
  const how = { cwd: io.folder, env: io.environment, patienceMs: LOOK_MS }
  return askProgram([...commandOf(io), ...args], how).catch((cause: unknown) => {
    throw new AppError('CONFLICT', `${placeOf(io)} does not run: ${messageOf(cause)}`, { cause })
  })
}

/** What changes when another file lies there, or something else is written into it. */
async function identityOf(io: Looking['io']): Promise<string> {
  const files = commandOf(io).filter((word) => isAbsolute(word))
  const each = files.map((file) =>
    stat(file, { bigint: true }).then(
      ({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(),
      () => 'none',
    ),
  )
  return (await Promise.all(each)).join(' ')
}
