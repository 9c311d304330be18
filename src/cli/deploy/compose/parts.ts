import { posix } from 'node:path'
import {
  APP,
  CONFIG_FILE,
  memoryText,
  roleEnvironment,
  roleSecrets,
  SECRETS_FOLDER,
  serviceEnvironment,
} from '../container.ts'
import { BEYOND_DRAIN, type Deployment, type RolePart, type ServicePart } from '../deployment.ts'
import { dockerfileOf } from '../docker/service-dockerfile.ts'
import { serviceImage } from '../image-name.ts'
import { flowList, mapping, scalar } from './scalars.ts'

/** Processors that a container may take, at most. */
const CPUS = '1.0'
/** Processes and threads of a container, at most: a role has some twenty; a service's own come besides. */
const PIDS = 128
const SERVICE_PIDS = 256

type Variables = Readonly<Record<string, string>>

/** What every role is told, before `services`. */
export function composeRoleAnchors(deployment: Deployment): string {
  return `x-environment: &environment
${mapping(toldToRoles(deployment), 2)}

`
}

function toldToRoles(deployment: Deployment): Variables {
  return sharedBy(deployment.roles.map((role) => roleEnvironment(deployment, role)))
}

/** Each role as a service of compose. */
export function composeRoles(deployment: Deployment): string {
  const told = toldToRoles(deployment)
  return `services:
${deployment.roles.map((role) => roleService(deployment, role, told)).join('\n')}`
}

function roleService(deployment: Deployment, role: RolePart, told: Variables): string {
  const { name, summary, stores, isEntrance, port, replicas } = role
  const secrets = roleSecrets(deployment, role)
  const own = { ...without(roleEnvironment(deployment, role), told), ...inFiles(secrets) }
  const here = deployment.stores.filter(({ kind, elsewhere }) => stores.includes(kind) && elsewhere === undefined)
  const networks = ['inner', ...(isEntrance ? ['outer'] : []), ...(here.length > 0 ? ['stores'] : [])]
  const command = ['serve', name, ...(deployment.file === undefined ? [] : ['--config', CONFIG_FILE])]
  return `  # ${summary}
  ${name}:
    <<: *role
    command: ${flowList(command)}
    environment:
      <<: *environment
${mapping(own, 6)}
    secrets: ${flowList(new Set(Object.values(secrets)))}
${dependsOn([...here.map(({ kind }) => kind), ...role.needs])}${isEntrance ? ports(port, replicas) : ''}${networksOf(networks)}    deploy:
      replicas: ${replicas}
      resources: { limits: { cpus: '${CPUS}', memory: ${memoryText(role.memoryMb, 'M', 'G')}, pids: ${PIDS} } }
`
}

/** What every service of the user's is told, before `services`; nothing where there is none. */
export function composeServiceAnchors(deployment: Deployment): string {
  if (deployment.services.length === 0) return ''
  const told = sharedBy(deployment.services.map((service) => serviceEnvironment(deployment, service)))
  return `# a service of yours, run by msvc up --only
x-service: &service
  <<: *role
  # reaps orphaned processes
  init: true
  configs: [{ source: config, target: ${APP}/msvc.yaml }]
  secrets: [signing-key]
  tmpfs: [/tmp]
x-service-environment: &service-environment
${mapping({ ...told, ...inFiles({ MSVC_KEY_FILE: 'signing-key' }) }, 2)}

`
}

/** The user's own services. */
export function composeServices(deployment: Deployment): string {
  const told = sharedBy(deployment.services.map((service) => serviceEnvironment(deployment, service)))
  return deployment.services.map((service) => `\n${ownService(deployment, service, told)}`).join('')
}

function ownService(deployment: Deployment, service: ServicePart, told: Variables): string {
  const { name, replicas, needs, own } = service
  const roles = new Set(deployment.roles.map((role) => role.name))
  // where it is registered, and who keeps what it wants
  const before = [
    'registry',
    ...(Object.keys(own.receives).length > 0 ? ['broker'] : []),
    ...(own.secrets.length > 0 ? ['config-server'] : []),
    ...needs,
  ]
  const wanted = [...new Set(before)].filter((need) => roles.has(need) || needs.includes(need))
  const dockerfile = posix.join(deployment.folder, dockerfileOf(name))
  const variables = without(serviceEnvironment(deployment, service), told)
  // compose itself says which is missing
  const filled = service.variables.map(
    ({ name: variable, hasDefault }) =>
      `      ${variable}: "\${${variable}${hasDefault ? '-' : '?set it in .env beside compose.yaml'}}"`,
  )
  const lines = [...(Object.keys(variables).length > 0 ? [mapping(variables, 6)] : []), ...filled]
  const environment =
    lines.length === 0
      ? 'environment: *service-environment'
      : `environment:\n      <<: *service-environment\n${lines.join('\n')}`
  return `  ${scalar(name)}:
    <<: *service
    image: ${scalar(serviceImage(deployment, name))}
    build: { context: ${scalar(deployment.sources)}, dockerfile: ${scalar(dockerfile)} }
    stop_grace_period: ${Math.ceil(own.stop.grace_ms / 1_000) + BEYOND_DRAIN}s
    ${environment}
${dependsOn(wanted)}    deploy:
      replicas: ${replicas}
      resources: { limits: { cpus: '${CPUS}', memory: ${memoryText(service.memoryMb, 'M', 'G')}, pids: ${SERVICE_PIDS} } }
`
}

/** What all say alike. */
function sharedBy([first = {}, ...others]: readonly Variables[]): Variables {
  const shared = Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value))
  return Object.fromEntries(shared)
}

function without(variables: Variables, told: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !(name in told)))
}

/** @param secrets names of files by variable */
function inFiles(secrets: Variables): Variables {
  return Object.fromEntries(Object.entries(secrets).map(([variable, file]) => [variable, `${SECRETS_FOLDER}/${file}`]))
}

function dependsOn(names: readonly string[]): string {
  if (names.length === 0) return ''
  const lines = names.map((name) => `      ${scalar(name)}: { condition: service_healthy }\n`)
  return `    depends_on:\n${lines.join('')}`
}

/** A port for each replica, of this machine alone: what goes over it is not encrypted, and a port that Docker opens passes a host's firewall. */
function ports(port: number, replicas: number): string {
  const published = replicas > 1 ? `${port}-${port + replicas - 1}` : String(port)
  return `    # plain HTTP, so on this machine only: put a TLS proxy in front, on the host or in the network outer
    ports: ['127.0.0.1:${published}:${port}']
`
}

function networksOf(names: readonly string[]): string {
  if (names.length === 1) return ''
  // that of the network which comes first is registered
  const lines = names.map((name) => (name === 'inner' ? 'inner: { priority: 100 }' : `${name}: {}`))
  return `    networks: { ${lines.join(', ')} }\n`
}
