import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import { type ControlClient, connectControl } from '../../kit/supervisor/control-client.ts'
import { Changes, type ControlRequest } from '../../kit/supervisor/control-protocol.ts'
import { changeLines } from '../render/change-lines.ts'
import { configureClient } from '../session/configuration.ts'
import { readRunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'

/** How often it is looked whether a platform has ended, milliseconds. */
const LOOK_MS = 50

/**
 * Asks the platform on the data folder to change what runs, and says what that came to. Throws AppError `UNAVAILABLE` when none runs there, and the platform's own
 * refusal.
 */
export async function steer(session: Session, request: ControlRequest): Promise<void> {
  const changes = await withPlatform(session, (control) => control.ask(request, Changes, session.io.leaving))
  session.printJson(changes)
  session.print(changeLines(changes).join('\n'))
}

/** Stops the platform on the data folder; resolves when its process has ended. Throws AppError `UNAVAILABLE` when none runs there. */
export async function bringDown(session: Session): Promise<void> {
  const { settings } = await configureClient(session)
  const { leaving } = session.io
  const running = await withPlatform(session, async (control) => {
    await control.ask({ do: 'down' }, Changes, leaving)
    return readRunState(settings.data)
  })
  while ((await readRunState(settings.data)) && !leaving.aborted) await pause(LOOK_MS, leaving)
  session.printJson({ stopped: !leaving.aborted, pid: running?.pid ?? null })
  session.print(`the platform on ${settings.data} has stopped`)
}

async function withPlatform<T>(session: Session, work: (control: ControlClient) => Promise<T>): Promise<T> {
  const { settings } = await configureClient(session)
  const control = await connectControl(controlAddress(settings.data)).catch((cause: unknown) => {
    const message = `no platform runs on ${settings.data}; start it with msvc up, or name another folder with --data`
    throw new AppError('UNAVAILABLE', message, { cause })
  })
  try {
    return await work(control)
  } finally {
    control.close()
  }
}
