import { CONFIG_FILE, CONTAINER_USER, PROGRAM, SECRETS_FOLDER } from '../container.ts'
import { BEYOND_DRAIN, type DeployFile, type Deployment } from '../deployment.ts'
import { serviceDockerfiles } from '../docker/service-dockerfile.ts'
import { remarksOn } from '../docker/service-remarks.ts'
import { loadingImage, makingToken, settingSecrets } from '../first-steps.ts'
import type { SecretText, Written } from '../kinds.ts'
import { platformSecrets, SECRETS, secretName } from '../platform-secrets.ts'
import { composeRoleAnchors, composeRoles, composeServiceAnchors, composeServices } from './parts.ts'
import { scalar } from './scalars.ts'
import { composeStore, SHARED_BY_STORES } from './stores.ts'

/** Of secrets: compose mounts the file itself, with its rights, for users that are numbers. Their folder keeps them from others. */
const SECRET = 0o444
const CLOSED_CONFIG = `${SECRETS}/msvc.yaml`

/** Writes `compose.yaml` with the seed's topology (9.7.10), the secrets that it mounts, and Dockerfiles of the user's services. */
export async function writeCompose(deployment: Deployment, secret: SecretText): Promise<Written> {
  const secrets = await platformSecrets(deployment.stores, secret, SECRET)
  return {
    remarks: deployment.services.flatMap(remarksOn),
    files: [
      { path: 'compose.yaml', text: composeFile(deployment, secrets.map(secretName)) },
      { path: '.gitignore', text: `${SECRETS}/\n.env\nmsvc.tar\n` },
      ...serviceDockerfiles(deployment),
      ...secrets,
      ...closedConfig(deployment),
    ],
    next: firstSteps(deployment),
  }
}

/** A copy of a file that its owner alone can read: compose mounts it with its rights, and no user of a container would be that owner. */
function closedConfig({ file, isFilePrivate }: Deployment): readonly DeployFile[] {
  if (file === undefined || !isFilePrivate) return []
  return [{ path: CLOSED_CONFIG, text: file, mode: SECRET, isSecret: true }]
}

function firstSteps(deployment: Deployment): readonly string[] {
  const { services } = deployment
  const variables = new Set(services.flatMap((service) => service.variables.filter(isNeeded).map(({ name }) => name)))
  const secrets = settingSecrets(deployment)
  const token = makingToken(deployment)
  return [
    loadingImage(deployment),
    ...[...variables].map((name) => `echo '${name}=…' >> .env`),
    // a service that wants a secret is well once it has it
    ...(secrets.length > 0 ? ['docker compose up -d --wait config-server'] : []),
    ...secrets.map(({ command, secret }) => `docker compose exec -T config-server ${command} < ${secret}`),
    `docker compose up -d --wait${services.length > 0 ? ' --build' : ''}`,
    ...(token === undefined ? [] : [`docker compose exec gateway ${token}`]),
  ]
}

const isNeeded = ({ hasDefault }: { readonly hasDefault: boolean }) => !hasDefault

function composeFile(deployment: Deployment, secrets: readonly string[]): string {
  const { name, version, file, fileName, sources, stores, drainSeconds } = deployment
  const here = stores.filter(({ elsewhere }) => elsewhere === undefined)
  const config = file !== undefined
  return `# msvc ${version}${config ? `, by ${sources}/${fileName}` : ''}: each role in its own container. First steps:
#   ${loadingImage(deployment)}
#   docker compose up -d --wait
# To scale a role: replicas below, or docker compose up -d --scale user=3. ${SECRETS}/ holds one secret per file: back it up, never commit it.
name: ${name}

x-role: &role
  image: ${deployment.image}
  restart: unless-stopped
  # drain_seconds (${drainSeconds} s), then a margin
  stop_grace_period: ${drainSeconds + BEYOND_DRAIN}s
  user: '${CONTAINER_USER}:${CONTAINER_USER}'
  read_only: true
  cap_drop: [ALL]
  security_opt: ['no-new-privileges:true']
  # per replica: lasting data is in the stores
  volumes: [/data]
  # of several networks, the one with the highest priority: its address is the one registered
  networks: [inner]${config ? `\n  configs: [{ source: config, target: ${CONFIG_FILE} }]` : ''}
  # each check starts a process, so check often only until the first success
  healthcheck:
    test: [CMD, ${PROGRAM}, health, --self, --quiet]
    interval: 30s
    timeout: 10s
    retries: 3
    start_period: 60s
    start_interval: 1s
  logging: &logging
    driver: json-file
    options: { max-size: 10m, max-file: '3' }

${here.length > 0 ? `${SHARED_BY_STORES}\n` : ''}${composeRoleAnchors(deployment)}${composeServiceAnchors(deployment)}${composeRoles(deployment)}${composeServices(deployment)}${here.map(composeStore).join('')}
networks:
  # for a proxy in front of the gateway
  outer: {}
  # between roles and services
  inner: {}${here.length > 0 ? '\n  # only for stores and the roles that use them\n  stores: { internal: true }' : ''}
${config ? `\nconfigs:\n  config: { file: ${scalar(configOf(deployment))} }\n` : ''}
# mounted at ${SECRETS_FOLDER}/<name>
secrets:
${secrets.map((each) => `  ${each}: { file: ./${SECRETS}/${each} }\n`).join('')}${here.length > 0 ? `\nvolumes:\n${here.map(({ kind }) => `  ${kind}: {}\n`).join('')}` : ''}`
}

/** Where compose finds the user's file. */
function configOf({ isFilePrivate, sources, fileName }: Deployment): string {
  return isFilePrivate ? `./${CLOSED_CONFIG}` : `${sources}/${fileName}`
}
