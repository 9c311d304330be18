import { AppError } from '../../kit/errors.ts'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import { connectControl } from '../../kit/supervisor/control-client.ts'
import { Changes } from '../../kit/supervisor/control-protocol.ts'
import { configurationPlace } from '../session/configuration.ts'
import { alreadyRuns, type RunState } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { askWhileItAnswers } from './answering.ts'
import type { UpFlags } from './platform.ts'
import { tellChanges } from './unready.ts'

/** What to do instead where it isn't applied. */
const WAYS = 'msvc apply has it follow its file, msvc down stops it'

/**
 * `msvc up` where a platform runs on the data folder: has that one follow its changed file, as `msvc apply` does, and says what that came to.
 * Throws AppError `USAGE` where that can't give what was asked for: with flags that hold from the start on, by another file, or when the platform can't be asked
 * since it just begins, or is of another version; and the platform's own refusal.
 */
export async function upAgain(session: Session, flags: UpFlags, data: string, running: RunState): Promise<void> {
  const flag = flagFromTheStart(flags)
  if (flag !== undefined) throw alreadyRuns(data, running, `, and ${flag} holds from its start on; ${WAYS}`)
  const { configuration } = running
  if (configuration !== undefined && configuration !== configurationPlace(session))
    throw alreadyRuns(data, running, `, by the configuration ${configuration}; ${WAYS}`)
  const changes = await applied(session, (cause) => alreadyRuns(data, running, undefined, cause), data)
  tellChanges(session, changes)
}

function flagFromTheStart({ only, scale, portOffset, inProcess }: UpFlags): string | undefined {
  const given = {
    '--only': only !== undefined,
    '--scale': scale !== undefined,
    '--port-offset': portOffset !== undefined,
    '--in-process': inProcess === true,
    '--no-in-process': inProcess === false,
  }
  return Object.entries(given).find(([, isGiven]) => isGiven)?.[0]
}

async function applied({ io }: Session, refusal: (cause: unknown) => AppError, data: string): Promise<Changes> {
  const control = await connectControl(controlAddress(data)).catch((cause: unknown) => {
    throw refusal(cause)
  })
  try {
    return await askWhileItAnswers({ control, data, signal: io.leaving }, { do: 'apply' }, Changes)
  } catch (fault) {
    throw fault instanceof AppError && fault.code === 'NOT_IMPLEMENTED' ? refusal(fault) : fault
  } finally {
    control.close()
  }
}
