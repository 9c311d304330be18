import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../drivers/clock.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { register } from '../../kit/discovery/registration.ts'
import { createOutputReader } from '../../kit/output/output-reader.ts'
import type { CommandOutput, CommandPlan, CommandTools, Enrolment } from '../../kit/supervisor/command/command-unit.ts'
import { createGuard } from '../../kit/supervisor/guard.ts'
import { createIdSource } from '../../kit/telemetry/ids.ts'
import type { LogSink } from '../../kit/telemetry/log.ts'
import { VERSION } from '../version.ts'
import type { ServiceEntries } from './service-entries.ts'
import { readSecrets } from './service-secrets.ts'
import type { ServiceTokens } from './service-tokens.ts'

/** What users' services are run with. */
export interface ServiceToolsOptions {
  readonly authority: Authority
  /** Tells when the registry is back. */
  readonly onRegistryBack: (then: () => void) => () => void
  /** Where the lines go that people see. */
  readonly seen: (unit: string) => LogSink
  readonly warn: (words: string) => void
  readonly registryUrl: string
  /** Where secrets are; undefined where no config server is known. */
  readonly configServerUrl: string | undefined
  /** Which values of the config server hold. */
  readonly platformEnvironment: string
  /** A variable of all processes of this platform and of nobody else's, by which those are found that get away. */
  readonly mark: string
  readonly entries: ServiceEntries
  readonly tokens: ServiceTokens
}

/** How long requests sent just before a stop may still arrive after the registry was told, milliseconds. */
const LAST_CALLS_MS = 100

/** Makes what commands work with on this platform, but for their builds. */
export function serviceTools(options: ServiceToolsOptions): Omit<CommandTools, 'buildOf'> {
  const { authority, configServerUrl, platformEnvironment: environment, mark, entries, tokens, seen } = options
  const nextId = createIdSource(4)
  return {
    clock: systemClock,
    guard: createGuard(mark),
    instanceOf: (service) => `${service}-${nextId()}`,
    output: (plan, instance) => outputOf(plan, instance, [seen(plan.unit), entries.sinkOf(plan.service)]),
    enrol: (plan, instance) => enrol(plan, instance, options),
    async variablesOf({ service, secrets }, signal) {
      const url = configServerUrl ?? ''
      const values = await readSecrets(secrets, { url, service, environment, authority }, signal)
      const [variable = '', value = ''] = mark.split('=')
      return { ...values, ...(await tokens.variablesOf(service)), [variable]: value }
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
  { registryUrl, authority, onRegistryBack, warn }: ServiceToolsOptions,
): Enrolment {
  if (!place) return { setHealthy: () => {}, leave: async () => {} }
  const registration = register({
    registryUrl,
    service,
    agent: `msvc/${VERSION} (${instance})`,
    ...place,
    authority,
    log: { error: (words) => warn(`${unit}: ${words}`) },
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
