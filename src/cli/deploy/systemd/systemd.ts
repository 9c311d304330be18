import { addressVariable } from '../../../kit/discovery/address-variable.ts'
import { roleSecrets, serviceEnvironment } from '../container.ts'
import type { DeployFile, Deployment, RolePart, ServicePart } from '../deployment.ts'
import type { SecretText, Written } from '../kinds.ts'
import { platformSecrets } from '../platform-secrets.ts'
import { HARDENED_ROLE, HARDENED_SERVICE, unitText } from './unit-text.ts'

/** Where an administrator's units are (systemd.unit(5)), the program, the file, and its secrets. */
const UNITS = '/etc/systemd/system'
const PROGRAM = '/usr/local/bin/msvc'
const CONFIG_FOLDER = '/etc/msvc'
const SECRETS = `${CONFIG_FOLDER}/secrets`
/** Of secrets, on their way to there. */
const SECRET = 0o600
/** Seconds that a unit has beyond what it takes to drain, until it is killed. */
const BEYOND_DRAIN = 10

/**
 * Writes a unit a role, and one a service of the user's: each a user of its own with a folder of its own, its secrets given by the manager. They share no data
 * folder, as each would have to be able to read the other's then; the key that tokens are signed with is a credential of all of them.
 */
export async function writeSystemd(deployment: Deployment, secret: SecretText): Promise<Written> {
  const units = [
    ...deployment.roles.flatMap((role) => roleUnits(deployment, role)),
    ...deployment.services.map((service) => serviceUnit(deployment, service)),
  ]
  const config = deployment.file === undefined ? [] : [{ path: 'msvc.yaml', text: deployment.file }]
  const secrets = await platformSecrets(outside(deployment), secret, SECRET)
  return {
    files: [
      { path: 'msvc.target', text: target(deployment) },
      ...units,
      ...config,
      { path: '.gitignore', text: 'secrets/\n' },
      ...secrets,
    ],
    next: [
      `sudo install -m 0755 "$(command -v msvc)" ${PROGRAM}`,
      `sudo install -d -m 0700 ${SECRETS}`,
      `sudo install -m 0400 secrets/* ${SECRETS}/`,
      ...(config.length > 0 ? [`sudo install -m 0644 msvc.yaml ${CONFIG_FOLDER}/`] : []),
      ...(deployment.services.length > 0 ? [`sudo cp -r ${deployment.sources}/. ${homeOf(deployment)}/`] : []),
      `sudo cp msvc.target *.service${units.some(({ path }) => path.endsWith('.socket')) ? ' *.socket' : ''} ${UNITS}/`,
      'sudo systemctl daemon-reload && sudo systemctl enable --now msvc.target',
    ],
  }
}

function target(deployment: Deployment): string {
  const wanted = [...deployment.roles, ...deployment.services].flatMap((part) => unitNames(deployment, part))
  return unitText(
    `The whole platform, msvc ${deployment.version}: systemctl start|stop|restart msvc.target; systemctl list-dependencies msvc.target`,
    { Unit: [['Description', `msvc platform ${deployment.name}`], ...wanted.map((name) => ['Wants', name] as const)] },
    { Install: [['WantedBy', 'multi-user.target']] },
  )
}

/** More than one only where they can share their stores: a database in a unit's own folder is its own. */
function replicasOf({ stores }: Deployment, part: RolePart | ServicePart): number {
  if (!('stores' in part)) return 1
  const isAlone = stores.some(({ kind, elsewhere }) => part.stores.includes(kind) && elsewhere === undefined)
  return isAlone || part.isEntrance ? 1 : part.replicas
}

function unitNames(deployment: Deployment, part: RolePart | ServicePart): readonly string[] {
  const count = replicasOf(deployment, part)
  if (count === 1) return [`msvc-${part.name}.service`]
  return Array.from({ length: count }, (_, index) => `msvc-${part.name}@${index + 1}.service`)
}

function roleUnits(deployment: Deployment, role: RolePart): readonly DeployFile[] {
  const { name, summary, port, memoryMb, isEntrance } = role
  const isTemplate = replicasOf(deployment, role) > 1
  const config = deployment.file === undefined ? '' : ` --config ${CONFIG_FOLDER}/msvc.yaml`
  const state = `msvc/${name}${isTemplate ? '-%i' : ''}`
  const unit: DeployFile = {
    path: `msvc-${name}${isTemplate ? '@' : ''}.service`,
    text: unitText(
      `${summary}${isTemplate ? `. More of it: systemctl enable --now msvc-${name}@3` : ''}`,
      { Unit: [['Description', `msvc ${name}${isTemplate ? ' %i' : ''}`], ...order(deployment, role.needs)] },
      {
        Service: [
          ['ExecStart', `${PROGRAM} serve ${name}${isTemplate ? ' --port 0' : ''}${config}`],
          ...environment({ ...surroundings(deployment, name), MSVC_DATA: `%S/${state}` }),
          ...credentials(roleSecrets({ stores: outside(deployment) }, role)),
          ...lifecycle(deployment.drainSeconds + BEYOND_DRAIN),
          ['MemoryMax', `${memoryMb}M`],
          ['StateDirectory', state],
          ...(isEntrance ? [['Sockets', `msvc-${name}.socket`] as const] : []),
          ...HARDENED_ROLE,
        ],
      },
    ),
  }
  if (!isEntrance) return [unit]
  return [unit, socketUnit(name, port)]
}

function socketUnit(name: string, port: number): DeployFile {
  return {
    path: `msvc-${name}.socket`,
    text: unitText(
      `Stays open while ${name} is started again: what comes meanwhile waits in it. Plain HTTP, so for this machine alone: what encrypts it for others
# stands before it. For every address: systemctl edit msvc-${name}.socket, with an empty ListenStream= and one of ${port}.`,
      {
        Unit: [
          ['Description', `msvc ${name}, its port`],
          // else it would start the gateway again, alone, for the next that asks
          ['PartOf', 'msvc.target'],
        ],
      },
      {
        Socket: [
          ['ListenStream', `127.0.0.1:${port}`],
          ['FileDescriptorName', name],
          ['Backlog', '4096'],
          ['NoDelay', 'yes'],
        ],
      },
    ),
  }
}

/** A service of the user's, run away from its platform as in a container: `msvc up --only`. */
function serviceUnit(deployment: Deployment, service: ServicePart): DeployFile {
  const { name, own, needs } = service
  const home = homeOf(deployment)
  const addresses = Object.keys(serviceEnvironment(deployment, service))
  return {
    path: `msvc-${name}.service`,
    text: unitText(
      `Yours, from ${home}, where the folder of ${deployment.fileName} is to be. What it may write is below StateDirectory alone (MSVC_DATA).`,
      { Unit: [['Description', `msvc service ${name}`], ...order(deployment, ['registry', ...needs])] },
      {
        Service: [
          ['ExecStart', `${PROGRAM} up --only ${name} --in-process --config ${home}/${deployment.fileName}`],
          ['WorkingDirectory', home],
          ...environment({
            ...surroundings(deployment, name),
            ...Object.fromEntries(
              deployment.roles
                .map((role) => [addressVariable(role.service), `http://127.0.0.1:${role.port}`] as const)
                .filter(([variable]) => addresses.includes(variable)),
            ),
            // another service of this machine has one too
            MSVC_OUTBOUND_PORT: '0',
            MSVC_DATA: `%S/msvc/${name}`,
          }),
          ...credentials({ MSVC_KEY_FILE: 'signing-key' }),
          ...lifecycle(Math.ceil(own.stop.grace_ms / 1_000) + BEYOND_DRAIN),
          ['MemoryMax', '512M'],
          ['StateDirectory', `msvc/${name}`],
          ...HARDENED_SERVICE,
        ],
      },
    ),
  }
}

type Lines = readonly (readonly [key: string, value: string])[]

function order({ roles, services }: Deployment, needs: readonly string[]): Lines {
  const there = new Set([...roles, ...services].map(({ name }) => name))
  const own = [...new Set(needs)].filter((need) => there.has(need)).map((need) => `msvc-${need}.service`)
  return [
    ['Documentation', 'man:systemd.service(5)'],
    ['PartOf', 'msvc.target'],
    ['Wants', 'network-online.target'],
    ['After', ['network-online.target', ...own].join(' ')],
  ]
}

function surroundings({ environment: name, hosts, roles }: Deployment, part: string) {
  const registry = roles.find((role) => role.name === 'registry')
  return {
    MSVC_ENVIRONMENT: name,
    MSVC_AUTH_MODE: 'token',
    MSVC_AUTH_HOSTS: [...new Set([...hosts, 'localhost', '127.0.0.1'])].join(),
    ...(registry && part !== 'registry' && { REGISTRY_URL: `http://127.0.0.1:${registry.port}` }),
  }
}

function environment(variables: Readonly<Record<string, string>>): Lines {
  return Object.entries(variables).map(([name, value]) => ['Environment', `${name}=${value}`])
}

/** @param secrets the name of a file by the variable that says where it is */
function credentials(secrets: Readonly<Record<string, string>>): Lines {
  return Object.entries(secrets).flatMap(([variable, file]) => [
    ['LoadCredential', `${file}:${SECRETS}/${file}`] as const,
    ['Environment', `${variable}=%d/${file}`] as const,
  ])
}

function lifecycle(stopSeconds: number): Lines {
  return [
    ['Type', 'notify'],
    // systemd-notify tells it, on behalf of the program
    ['NotifyAccess', 'all'],
    ['WatchdogSec', '30'],
    ['TimeoutStartSec', '90'],
    ['TimeoutStopSec', String(stopSeconds)],
    ['Restart', 'always'],
    ['RestartSec', '1'],
    ['KillMode', 'mixed'],
    ['OOMPolicy', 'stop'],
    ['LimitNOFILE', '65536'],
  ]
}

/** Stores with an address of their own; what has none is in the unit's folder. */
function outside({ stores }: Deployment) {
  return stores.filter(({ elsewhere }) => elsewhere !== undefined)
}

function homeOf({ name }: Deployment): string {
  return `/opt/${name}`
}
