import { memoryText } from '../container.ts'
import type { StoreKind, StorePart } from '../deployment.ts'
import { STORE_SERVERS } from '../store-servers.ts'
import { flowList, mapping } from './scalars.ts'

/** Processes and threads of each, at most. */
const PIDS: Readonly<Record<StoreKind, number>> = { postgres: 400, redis: 64, nats: 64 }

/** What all stores say alike. */
export const SHARED_BY_STORES = `x-store: &store
  restart: unless-stopped
  stop_grace_period: 60s
  read_only: true
  cap_drop: [ALL]
  security_opt: ['no-new-privileges:true']
  networks: [stores]
  logging: *logging
x-healthcheck: &healthcheck { interval: 10s, timeout: 5s, retries: 5, start_period: 60s, start_interval: 1s }
`

/** A store as a service of compose. */
export function composeStore({ kind }: Pick<StorePart, 'kind'>): string {
  const { summary, image, user, command, environment, secret, data, scratch, ready, ...limits } = STORE_SERVERS[kind]
  // the volume of an image that has no such folder belongs to root
  const runsAs =
    kind === 'nats' ? "# runs as root without capabilities, because the volume is root's" : `user: '${user}:${user}'`
  const lines = Object.keys(environment).length > 0 ? `    environment:\n${mapping(environment, 6)}\n` : ''
  return `
  # ${summary}
  ${kind}:
    <<: *store
    image: ${image}
    ${runsAs}
${lines}    command: ${flowList(command)}
    secrets: [${secret}]
    volumes: ['${kind}:${data}']
    tmpfs: ${flowList(scratch)}
${OTHERS[kind] ?? ''}    healthcheck:
      <<: *healthcheck
      test: ${flowList(['CMD', ...ready])}
    deploy:
      resources: { limits: { cpus: '${limits.processors}.0', memory: ${memoryText(limits.memoryMb, 'M', 'G')}, pids: ${PIDS[kind]} } }
`
}

const OTHERS: Partial<Record<StoreKind, string>> = {
  postgres: `    shm_size: 128m
    # a fast shutdown, which does not wait for clients to disconnect
    stop_signal: SIGINT
`,
}
