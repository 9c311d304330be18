import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { AppError } from '../../kit/errors.ts'
import { configurationFile, configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { autostart } from './autostart.ts'
import { SERVICE_NAME } from './autostart-plan.ts'

/** Flags of `msvc service` as commander gives them. */
export interface ServiceFlags {
  readonly name: string
  readonly user?: string
}

/** Beyond what requests under way get, for what else there is to close. */
const MORE_STOP_S = 20

/** `msvc service install`: has the system start the platform of this folder. Throws AppError as `Autostart.install` does, `USAGE` for root without `--user`. */
export async function installService(session: Session, { name, user }: ServiceFlags): Promise<void> {
  const { io, messages } = session
  wantName(name)
  const system = autostart(io.self)
  const { settings, own } = await configure(session, { runs: false })
  const file = configurationFile(session)
  const given = [
    ...(file === undefined ? [] : ['--config', resolve(io.folder, file)]),
    ...['--data', settings.data, '--quiet'],
  ]
  const who = user ?? io.environment.SUDO_USER ?? userInfo().username
  if (who === 'root' && user === undefined)
    throw new AppError('USAGE', 'who is to run the platform? name a user with --user (root with --user root)')
  const graces = Object.values(own).map(({ stop }) => Math.ceil(stop.grace_ms / 1_000))
  const { where, says } = await system.install({
    ...{ name, folder: io.folder, data: settings.data, user: who },
    command: [...io.self, 'up', ...given],
    reload: [...io.self, 'apply', ...given],
    stopSeconds: Math.max(settings.drain_seconds, ...graces) + MORE_STOP_S,
  })
  session.print(`${where} starts the platform in ${io.folder} with the machine, as ${who}`)
  session.printJson({ name, where, folder: io.folder, user: who, ...(says !== undefined && { status: says }) })
  if (says) session.print(says)
  messages.info(
    `msvc service status tells how it is; as ${who}, msvc --data ${settings.data} ps tells what it runs, and token makes tokens`,
  )
}

/** `msvc service uninstall`. */
export async function uninstallService(session: Session, { name }: ServiceFlags): Promise<void> {
  wantName(name)
  await autostart(session.io.self).uninstall(name)
  session.print(`${name} is stopped, and starts no more; its data are where they were`)
  session.printJson({ name })
}

/** `msvc service status`. */
export async function tellService(session: Session, { name }: ServiceFlags): Promise<void> {
  wantName(name)
  const status = await autostart(session.io.self).status(name)
  session.print(status)
  session.printJson({ name, status })
}

function wantName(name: string): void {
  if (!SERVICE_NAME.test(name))
    throw new AppError('USAGE', `--name wants letters, digits and dashes, at most 40, not ${name}`)
}
