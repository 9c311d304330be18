import { join } from 'node:path'
import type { Authority } from '../../kit/auth/authority.ts'
import {
  type CommandPlan,
  type CommandTools,
  commandBuild,
  commandUnit,
} from '../../kit/supervisor/command/command-unit.ts'
import type { KeptPorts } from '../../kit/supervisor/free-port.ts'
import type { RolePlan } from '../../kit/supervisor/role-unit.ts'
import type { Unit } from '../../kit/supervisor/unit.ts'
import type { LogSink } from '../../kit/telemetry/log.ts'
import type { Door } from '../../roles/outbound/config.ts'
import type { Planned } from '../plan/planner.ts'
import { outboundPlan } from './doors.ts'
import { createReceiving } from './receiving.ts'
import { createServiceBuilds } from './service-builds.ts'
import { planServices, roleAddresses, wantedServices } from './service-plans.ts'
import { serviceTools } from './service-tools.ts'
import { createServiceWatches, type WatchedService } from './service-watches.ts'

/** What users' services are made with. */
export interface OwnUnitsOptions {
  readonly authority: Authority
  /** The platform's own environment, which services inherit for the most part. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly portOf: KeptPorts
  /** Tells when the registry is back. */
  readonly onRegistryBack: (then: () => void) => () => void
  /** Where the lines go that people see. */
  readonly seen: (unit: string) => LogSink
  readonly say: (words: string) => void
  readonly warn: (words: string) => void
  /** The units of a service that nobody has stopped. */
  readonly unstopped: (service: string) => readonly string[]
  /** Restarts a unit, what it needs left alone; resolves when it is ready, or the signal fires, and rejects with why it doesn't come back. */
  readonly restart: (unit: string, signal: AbortSignal) => Promise<void>
}

/** The user's services as the supervisor runs them. */
export interface OwnUnits {
  /** Makes units of what is to run from now on, and says which roles these need besides. */
  plan(planned: Planned): Promise<{ readonly units: readonly Unit[]; readonly roles: readonly RolePlan[] }>
  /** What isn't in the last plan any more has ended: takes away what it was given. */
  applied(): void
  /** Sends the last of what they wrote, and takes away what they were given. */
  close(): Promise<void>
}

/** Makes what runs users' services beside the roles of a platform. */
export function createCommands({ configured, roles }: Planned, options: OwnUnitsOptions): OwnUnits {
  const { authority, environment, portOf, warn, unstopped, restart } = options
  const { settings } = configured
  const addresses = roleAddresses(configured, roles)
  let callable = Object.keys(configured.own)
  let doors: readonly Door[] = []
  let latest: ReadonlyMap<string, CommandPlan> = new Map()
  const shared = serviceTools({
    ...options,
    addresses,
    environment: settings.environment,
    advertise: settings.up.advertise,
    audiences: (service) => {
      // whom it reaches by a door gets a token from that door, which is good for him alone
      const reached = new Set(doors.flatMap(({ caller, upstream }) => (caller === service ? [upstream] : [])))
      return [...configured.roles.map((role) => role.service), ...callable].filter((name) => !reached.has(name))
    },
    folder: join(settings.data, 'services'),
  })

  const builds = createServiceBuilds((plan, command, after) => commandBuild(plan, command, tools, after))
  const tools: CommandTools = { ...shared.tools, buildOf: builds.of, latest: (plan) => latest.get(plan.unit) ?? plan }

  const receiving = createReceiving({ url: addresses.broker, authority, data: settings.data, warn })
  const watches = createServiceWatches({
    ...options,
    isStopped: (service) => unstopped(service).length === 0,
    async renew(service, signal) {
      if (unstopped(service).length === 0) return builds.outdate(service)
      // while it fails, what runs goes on
      if (!(await builds.renew(service))) return
      for (const unit of unstopped(service)) {
        // it may have been stopped while one before it was restarted
        if (!signal.aborted && unstopped(service).includes(unit)) await restart(unit, signal)
      }
    },
  })

  return {
    async plan(planned) {
      callable = Object.keys(planned.configured.own)
      const { replicas, receipts, ...ways } = await planServices({ planned, environment, portOf })
      doors = ways.doors
      latest = new Map(replicas.map((plan) => [plan.unit, plan]))
      builds.plan(replicas)
      watches.set(watchedAmong(planned))
      receiving.set(receipts)
      return { units: replicas.map((plan) => commandUnit(plan, tools)), roles: outboundPlan(planned, doors) }
    },
    applied: () => shared.keepOnly([...latest.values()].map(({ service }) => service)),
    async close() {
      watches.close()
      await receiving.close()
      await builds.close()
      await shared.close()
    },
  }
}

function watchedAmong({ configured, wish }: Planned): readonly WatchedService[] {
  return Object.entries(wantedServices(configured.own, wish)).flatMap(([service, { dir, watch }]) =>
    watch.length > 0 ? [{ service, dir, patterns: watch }] : [],
  )
}
