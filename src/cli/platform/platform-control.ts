import type * as z from 'zod'
import { systemClock } from '../../drivers/clock.ts'
import { Places } from '../../kit/config/places.ts'
import { AppError } from '../../kit/errors.ts'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import type { ControlRequest, UnitRow, Units } from '../../kit/supervisor/control-protocol.ts'
import { type ControlServer, openControl } from '../../kit/supervisor/control-server.ts'
import type { Job } from '../../kit/supervisor/job.ts'
import { PlatformCutover } from '../../kit/supervisor/platform-cutover.ts'
import type { RoleUnits } from '../../kit/supervisor/role-unit.ts'
import type { Supervision } from '../../kit/supervisor/supervise.ts'
import { unprovenFor } from '../../kit/supervisor/unit-state.ts'
import { shownPlaces } from '../session/moved.ts'
import type { Steering } from './steering.ts'
import type { Upgrade } from './upgrade.ts'

/** What a platform is controlled with. */
export interface PlatformControlOptions {
  readonly places: Places
  /** Told when the platform lives elsewhere. */
  readonly onMoved: (to: Places) => void
  /** Told when what a copy left could not be taken away. */
  readonly onFault: (fault: unknown) => void
}

/** A platform that other commands may ask. */
export interface ControlledPlatform {
  readonly supervision: Pick<Supervision, 'states' | 'reports' | 'ready'>
  /** Its units as other commands see them. */
  readonly rows: () => readonly UnitRow[]
  readonly upgrade: Pick<Upgrade, 'begin'>
}

/** A running platform's ear for other commands on its data folder. */
export interface PlatformControl {
  /** Resolves once it is certain where the platform lives. */
  readonly admit: () => Promise<void>
  /** Where the platform lives. */
  readonly placesNow: () => Places
  /** What a role is to start with: on the places where the platform lives. */
  readonly jobNow: (job: Job) => Job
  /** Takes requests. Rejects with the system's own error when the socket can't be made. */
  open(platform: ControlledPlatform, roles: RoleUnits, steering: Steering): Promise<void>
  close(): Promise<void>
}

/** Makes a platform's control; it takes nothing until it is opened. */
export function createPlatformControl({ places, onMoved, onFault }: PlatformControlOptions): PlatformControl {
  let cutover: PlatformCutover | undefined
  let server: ControlServer | undefined
  let isCopied = false
  let hasStarted = false

  /** A worker that has just begun may be about to end. */
  const listed = ({ supervision, rows }: ControlledPlatform): z.infer<typeof Units> => ({
    units: [...rows()],
    started: hasStarted && supervision.reports().every((report) => unprovenFor(report, systemClock.now()) === 0),
  })

  /** Who made a copy may have been killed. */
  async function endCopy() {
    try {
      const { stopNoting } = await import('../../kit/migration/noting.ts')
      stopNoting(places.data)
    } catch (fault) {
      onFault(fault)
    }
    isCopied = false
  }

  function handler(platform: ControlledPlatform, moving: PlatformCutover, steering: Steering) {
    return async (request: ControlRequest, gone: AbortSignal): Promise<unknown> => {
      switch (request.do) {
        case 'look': {
          const states = [...platform.supervision.states().values()]
          return { places: moving.places, ready: states.every(({ at }) => at === 'ready') }
        }
        case 'list':
          return listed(platform)
        case 'copy':
          if (isCopied) throw new AppError('CONFLICT', 'this platform is being copied already')
          isCopied = true
          gone.addEventListener('abort', () => void endCopy(), { once: true })
          return undefined
        case 'prepare':
          return moving.prepare(Places.parse(request.to))
        case 'hold':
          gone.addEventListener('abort', () => void moving.resume(request.id), { once: true })
          await moving.hold(request.id, Places.parse(request.to), { budgetMs: request.budget_ms })
          if (gone.aborted) throw new AppError('CONFLICT', 'nobody waits for it any more')
          return undefined
        case 'move':
          return { paused_ms: await moving.move(request.id) }
        case 'resume':
          return moving.resume(request.id)
        case 'upgrade':
          return platform.upgrade.begin(request.version)
        default:
          return steering.steer(request, gone)
      }
    }
  }

  return {
    admit: async () => cutover?.settled(),
    placesNow: () => cutover?.places ?? places,
    jobNow: (job) => cutover?.jobNow(job) ?? job,
    async open(platform, roles, steering) {
      void platform.supervision.ready.then(
        () => {
          hasStarted = true
        },
        () => {},
      )
      cutover = new PlatformCutover({
        supervision: platform.supervision,
        roles,
        places,
        clock: systemClock,
        shown: shownPlaces,
        onMoved,
      })
      server = await openControl(controlAddress(places.data), handler(platform, cutover, steering))
    },
    async close() {
      await server?.close()
    },
  }
}
