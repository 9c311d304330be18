import { aborted } from '../../kit/pause.ts'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import type { Supervision } from '../../kit/supervisor/supervise.ts'
import type { RunState, StateFile } from '../session/run-state.ts'
import { type ManagerNotices, unitsInWords } from './manager-notices.ts'
import type { PlatformScreen } from './platform-screen.ts'
import type { Welcome } from './welcome.ts'

/** A platform whose units are under way. */
export interface StartingPlatform {
  readonly supervision: Pick<Supervision, 'ready' | 'reports' | 'stop'>
  readonly stateFile: Pick<StateFile, 'save' | 'written'>
  /** What its file says of it now. */
  readonly state: () => RunState
  /** Its units as other commands see them. */
  readonly rows: () => readonly UnitRow[]
  /** Makes what says where everything is. */
  readonly prepare: () => Promise<Welcome>
  /** Lets other commands in; never rejects. */
  readonly open: () => Promise<void>
  readonly notices: Pick<ManagerNotices, 'ready' | 'stopping'>
}

/**
 * Says where everything is once all has started, and stops it all when the signal fires; resolves when it has stopped. Rejects, all stopped too, when an
 * essential unit refuses to start.
 */
export async function untilEnd(screen: PlatformScreen, platform: StartingPlatform, ending: AbortSignal): Promise<void> {
  const { supervision, stateFile, state, rows, prepare, open, notices } = platform
  const stop = () => {
    notices.stopping('Stopping in order, requests under way finished')
    screen.stopping(supervision.reports())
    void supervision.stop()
  }
  ending.addEventListener('abort', stop, { once: true })
  try {
    // other commands shall not look for it elsewhere while it starts
    stateFile.save(state())
    if (ending.aborted) stop()
    const welcome = prepare()
    welcome.catch(() => {})
    await open()
    await supervision.ready
    ending.throwIfAborted()
    await stateFile.written()
    const say = await welcome
    notices.ready(unitsInWords(supervision.reports()))
    screen.ready(supervision.reports(), () => say(state(), rows()))
    await aborted(ending)
  } catch (fault) {
    if (!ending.aborted) throw fault
  } finally {
    await supervision.stop()
  }
}
