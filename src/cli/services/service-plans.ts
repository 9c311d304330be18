import type { OwnService, OwnServices } from '../../kit/config/own-service.ts'
import { replicaName } from '../../kit/config/replicas.ts'
import { addressOf } from '../../kit/config/schema.ts'
import { addressVariable } from '../../kit/discovery/address-variable.ts'
import { parseEndpoints, printEndpoint } from '../../kit/discovery/endpoint.ts'
import { serviceUrl } from '../../kit/discovery/service-url.ts'
import type { CommandPlan } from '../../kit/supervisor/command/command-unit.ts'
import { serviceEnvironment } from '../../kit/supervisor/command/environment.ts'
import type { KeptPorts } from '../../kit/supervisor/free-port.ts'
import type { RolePlan } from '../../kit/supervisor/role-unit.ts'
import type { Door } from '../../roles/outbound/config.ts'
import type { Wish } from '../plan/plan.ts'
import type { Planned } from '../plan/planner.ts'
import type { Configured } from '../session/configuration.ts'
import { doorUrl, planDoors } from './doors.ts'
import type { Receipt } from './receiving.ts'

/** Registered names of what every service may use; it is told their own addresses. */
const INFRASTRUCTURE: ReadonlySet<string> = new Set([
  'registry',
  'config-server',
  'log-server',
  'broker',
  'api-gateway',
])

/** What services are planned by. */
export interface ServicePlanOptions {
  readonly planned: Planned
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A free port for a replica, the same each time it is asked for. */
  readonly portOf: KeptPorts
}

/** The user's services that are to run, and in how many replicas. */
export function wantedServices(own: OwnServices, { only, scale }: Pick<Wish, 'only' | 'scale'>): OwnServices {
  return Object.fromEntries(
    Object.entries(own).flatMap(([name, service]) =>
      only && !only.includes(name) ? [] : [[name, { ...service, replicas: scale.get(name) ?? service.replicas }]],
    ),
  )
}

/** What is to run of the user's services. */
export interface PlannedServices {
  readonly replicas: readonly CommandPlan[]
  /** What they receive. */
  readonly receipts: readonly Receipt[]
  /** The ways by which they call each other, and the platform's services. */
  readonly doors: readonly Door[]
}

/** Whether a role is among those that run here. */
const isHere = ({ roles }: Planned, name: string) => roles.some(({ job }) => job.role === name)

/** Whether the platform that services belong to runs elsewhere, as where each is in a container of its own: its registry tells where all others are. */
function isElsewhere(planned: Planned): boolean {
  return !isHere(planned, 'registry') && planned.configured.settings.services.registry !== undefined
}

/** Registered names of what such a platform has, as far as the file tells. */
function elsewhereNames({ roles, own, settings }: Configured): readonly string[] {
  const running = roles.filter(({ name, inUp }) => inUp !== false && !settings.up.without.includes(name))
  return [...running.map(({ service }) => service), ...Object.keys(own)]
}

/** The replicas of the user's services, each with where it listens and all that it is told; what they receive; and how they reach each other. */
export async function planServices(options: ServicePlanOptions): Promise<PlannedServices> {
  const { planned, portOf } = options
  const { configured, wish, roles } = planned
  const services = wantedServices(configured.own, wish)
  const places = await placesOf(services, configured.settings.up.host, portOf)
  const addresses = roleAddresses(configured, roles)
  const own = places.flatMap(({ name, index, place }): [string, string][] =>
    index === 0 && place ? [[name, addressOf(place)]] : [],
  )
  const direct = new Map<string, string>([...Object.entries(addresses), ...own])
  const known = [...direct.keys(), ...(isElsewhere(planned) ? elsewhereNames(configured) : [])]
  const callable = [...new Set(known)].filter((name) => !INFRASTRUCTURE.has(name))
  const isBalanced = addresses.registry !== undefined
  const doors = isBalanced ? await planDoors({ services, callable, delivers: isHere(planned, 'broker'), portOf }) : []
  const replicas = places.flatMap(({ name, unit, place }): readonly CommandPlan[] => {
    const service = services[name]
    return service ? [planReplica(options, { name, unit, place, service, direct, doors })] : []
  })
  // a broker elsewhere can't come in by a door of this machine
  const delivered = (service: string) =>
    !isHere(planned, 'broker') && isElsewhere(planned)
      ? serviceUrl(service)
      : (doorUrl(doors, 'broker', service) ?? direct.get(service))
  return { replicas, receipts: receiptsOf(services, delivered), doors }
}

function receiptsOf(services: OwnServices, delivered: (service: string) => string | undefined): readonly Receipt[] {
  return Object.entries(services).flatMap(([service, { receives }]) => {
    const url = delivered(service)
    if (url === undefined) return []
    return Object.entries(receives).map(([topic, { to, max_deliver: maxDeliver, ack_wait: ackWait }]) => ({
      service,
      topic,
      url: `${url}${to}`,
      maxDeliver,
      ackWait,
    }))
  })
}

interface Replica {
  readonly name: string
  readonly unit: string
  readonly place: CommandPlan['place']
}

async function placesOf(services: OwnServices, host: string, portOf: ServicePlanOptions['portOf']) {
  const replicas = Object.entries(services).flatMap(([name, { replicas, port, ready }]) =>
    Array.from({ length: replicas }, (_, index) => ({
      name,
      index,
      unit: replicaName(name, index),
      port: index === 0 ? port : undefined,
      isWorker: ready.by === 'none',
    })),
  )
  return Promise.all(
    replicas.map(async ({ name, index, unit, port, isWorker }): Promise<Replica & { readonly index: number }> => {
      const place = isWorker ? undefined : { host, port: port ?? (await portOf(unit, host)) }
      return { name, index, unit, place }
    }),
  )
}

interface PlannedReplica extends Replica {
  readonly service: OwnService
  /** Where everything is, by registered name. */
  readonly direct: ReadonlyMap<string, string>
  readonly doors: readonly Door[]
}

function planReplica(
  { planned: { configured }, environment }: ServicePlanOptions,
  { name, unit, place, service, direct, doors }: PlannedReplica,
): CommandPlan {
  const { run, build, dir, needs, secrets, ready, stop, restart } = service
  const behindDoors = doors.flatMap(({ caller, upstream }): [string, string][] =>
    caller === name && !direct.has(upstream) ? [[upstream, '']] : [],
  )
  const all = [...direct, ...behindDoors]
  const urls = all.map(([of, url]): [string, string] => [of, doorUrl(doors, name, of) ?? url])
  const hasDoors = doors.some(({ caller }) => caller === name)
  return {
    unit,
    service: name,
    // what is registered needs where it is registered, who calls by a door who holds it open, a secret its keeper
    needs: [
      ...new Set([
        ...needs,
        ...(place ? ['registry'] : []),
        ...(hasDoors ? ['outbound'] : []),
        ...(secrets.length > 0 ? ['config-server'] : []),
      ]),
    ],
    run,
    build: configured.settings.up.build ? build : undefined,
    dir,
    env: serviceEnvironment({
      service: name,
      environment: configured.settings.environment,
      place,
      data: configured.settings.data,
      urls: Object.fromEntries(urls),
      inherited: environment,
      own: service.env,
    }),
    addresses: all.map(([of]) => addressVariable(of)),
    secrets,
    place,
    ready,
    stop,
    restart,
  }
}

/** Where what is no service of the user's is, by registered name: roles that run beside them, and what runs elsewhere. */
export function roleAddresses(
  { settings, roles }: Pick<Configured, 'settings' | 'roles'>,
  plans: readonly RolePlan[],
): Readonly<Record<string, string>> {
  const running = roles.flatMap(({ name, service }): readonly [string, string][] => {
    const plan = plans.find(({ job }) => job.role === name)
    return plan ? [[service, addressOf(plan.job.section)]] : []
  })
  const elsewhere = Object.entries(settings.services).map(([name, list]): [string, string] => {
    const [first] = parseEndpoints(list).map(printEndpoint)
    return [name, first ?? list]
  })
  return Object.fromEntries([...running, ...elsewhere])
}
