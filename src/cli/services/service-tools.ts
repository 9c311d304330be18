import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../drivers/clock.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { advertisedPlace } from '../../kit/discovery/advertised.ts'
import { register } from '../../kit/discovery/registration.ts'
import { messageOf } from '../../kit/errors.ts'
import { createOutputReader } from '../../kit/output/output-reader.ts'
import type { CommandOutput, CommandPlan, CommandTools, Enrolment } from '../../kit/supervisor/command/command-unit.ts'
import { createGuard } from '../../kit/supervisor/guard.ts'
import { createIdSource } from '../../kit/telemetry/ids.ts'
import type { LogSink } from '../../kit/telemetry/log.ts'
import { VERSION } from '../session/version.ts'
import { createServiceEntries } from './service-entries.ts'
import { readSecrets } from './service-secrets.ts'
import { createServiceTokens } from './service-tokens.ts'

/** What users' services are run with. */
export interface ServiceToolsOptions {
  readonly authority: Authority
  /** Where roles and services are, by registered name. */
  readonly addresses: Readonly<Record<string, string>>
  /** The host by which others reach what listens here. Default: that on which it listens, or this machine's own. */
  readonly advertise?: string | undefined
  /** Which values of the config server hold. */
  readonly environment: string
  /** Registered names of all that a service may call by the token in its file. */
  readonly audiences: (service: string) => readonly string[]
  /** Where the services' tokens lie. */
  readonly folder: string
  /** Tells when the registry is back. */
  readonly onRegistryBack: (then: () => void) => () => void
  /** Where the lines go that people see. */
  readonly seen: (unit: string) => LogSink
  readonly warn: (words: string) => void
}

/** What commands work with on a platform, but for their builds. */
export interface ServiceTools {
  readonly tools: Omit<CommandTools, 'buildOf'>
  /** Takes away what services were given that aren't among these. */
  keepOnly(services: readonly string[]): void
  /** Sends the last of what services wrote, and takes away what they were given. */
  close(): Promise<void>
}

/** How long requests sent just before a stop may still arrive after the registry was told, milliseconds. */
const LAST_CALLS_MS = 100
/** A variable of all processes of this platform and of nobody else's, by which those are found that get away. */
const RUN = 'MSVC_RUN'

/** Makes what commands work with: their output goes to the log server, they are in the registry, and are told their secrets and tokens. */
export function serviceTools(options: ServiceToolsOptions): ServiceTools {
  const { authority, addresses, environment, audiences, folder, seen, warn } = options
  const nextId = createIdSource(4)
  const run = createIdSource(12)()
  const entries = createServiceEntries({
    url: addresses['log-server'],
    authority,
    clock: systemClock,
    onDrop: (service, count) =>
      warn(`${count} lines of ${service} were dropped: the log server takes none, or not all`),
  })
  const tokens = createServiceTokens({
    authority,
    folder,
    audiences,
    onFault: (service, fault) => warn(`the token of ${service} can't be renewed: ${messageOf(fault)}`),
  })
  return {
    tools: {
      clock: systemClock,
      guard: createGuard(`${RUN}=${run}`),
      instanceOf: (service) => `${service}-${nextId()}`,
      output: (plan, instance) => outputOf(plan, instance, [seen(plan.unit), entries.sinkOf(plan.service)]),
      enrol: (plan, instance) => enrol(plan, instance, options),
      async variablesOf({ service, secrets }, signal) {
        const url = addresses['config-server'] ?? ''
        const values = await readSecrets(secrets, { url, service, environment, authority }, signal)
        return { ...values, ...(await tokens.variablesOf(service)), [RUN]: run }
      },
    },
    keepOnly: tokens.keepOnly,
    async close() {
      await entries.close()
      tokens.close()
    },
  }
}

function outputOf({ service, ready }: CommandPlan, instance: string, sinks: readonly LogSink[]): CommandOutput {
  const wanted = ready.by === 'log' ? ready.text : undefined
  let isWritten = false
  const reader = createOutputReader({
    service,
    instance,
    clock: systemClock,
    take(entry) {
      isWritten ||= wanted !== undefined && entry.message.includes(wanted)
      for (const sink of sinks) sink(entry)
    },
  })
  return { take: reader.push, hasWritten: () => isWritten, end: reader.end }
}

/** Keeps a replica in the registry: its heart beats here, and stops with it. */
function enrol(
  { service, unit, place }: CommandPlan,
  instance: string,
  { addresses, advertise, authority, onRegistryBack, warn }: ServiceToolsOptions,
): Enrolment {
  if (!place) return { setHealthy: () => {}, leave: async () => {} }
  const told = (words: string) => warn(`${unit}: ${words}`)
  const registration = register({
    registryUrl: addresses.registry ?? '',
    service,
    agent: `msvc/${VERSION} (${instance})`,
    ...advertisedPlace(place, advertise),
    authority,
    log: { error: told, warning: told, info: () => {} },
    directory: { onConnect: onRegistryBack },
    metadata: { instance, unit },
  })
  return {
    setHealthy: registration.setHealthy,
    async leave() {
      if (await registration.leave()) await delay(LAST_CALLS_MS)
    },
  }
}
