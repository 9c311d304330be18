import type { Settings } from '../../kit/config/schema.ts'
import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import { connectControl } from '../../kit/supervisor/control-client.ts'
import { Changes, type ControlRequest } from '../../kit/supervisor/control-protocol.ts'
import { askWhileItAnswers, isHalted, silence } from '../platform/answering.ts'
import { tellChanges } from '../platform/unready.ts'
import { configureClient } from '../session/configuration.ts'
import { readRunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'

/** How often it is looked whether a platform has ended, milliseconds. */
const LOOK_MS = 50

/**
 * Asks the platform on the data folder to change what runs, and says what that came to. Throws AppError `UNAVAILABLE` when none runs there or it gives no answer, and the
 * platform's own refusal.
 */
export async function steer(session: Session, request: ControlRequest): Promise<void> {
  const { settings } = await configureClient(session, { warns: request.do !== 'apply' })
  tellChanges(session, await ask(session, settings, request))
}

/** Stops the platform on the data folder; resolves when its process has ended. Throws AppError `UNAVAILABLE` when none runs there, or it gives no answer. */
export async function bringDown(session: Session): Promise<void> {
  const { settings } = await configureClient(session)
  const { leaving } = session.io
  await ask(session, settings, { do: 'down' })
  const running = await readRunState(settings.data)
  while ((await readRunState(settings.data)) && !leaving.aborted) {
    if (running && (await isHalted(running.pid))) throw new AppError('UNAVAILABLE', await silence(settings.data))
    await pause(LOOK_MS, leaving)
  }
  session.printJson({ stopped: !leaving.aborted, pid: running?.pid ?? null })
  session.print(`the platform on ${settings.data} has stopped`)
}

async function ask({ io }: Session, { data }: Settings, request: ControlRequest): Promise<Changes> {
  const control = await connectControl(controlAddress(data)).catch((cause: unknown) => {
    const message = `no platform runs on ${data}; start it with msvc up, or name another folder with --data`
    throw new AppError('UNAVAILABLE', message, { cause })
  })
  try {
    return await askWhileItAnswers({ control, data, signal: io.leaving }, request, Changes)
  } finally {
    control.close()
  }
}
