import { type Lines, type UnitValue, variable, withSpecifiers } from '../../systemd/unit-text.ts'
import { BEYOND_DRAIN, type Deployment, type StoreKind } from '../deployment.ts'
import { CONFIG, CONFIG_FOLDER, SECRETS } from './places.ts'
import { unitNames } from './unit-names.ts'

/** What stores on this machine are called as units of Debian and Fedora: they are waited for where they are there. */
const STORE_UNITS: Readonly<Record<StoreKind, readonly string[]>> = {
  postgres: ['postgresql.service'],
  redis: ['redis-server.service', 'redis.service', 'valkey.service'],
  nats: ['nats-server.service', 'nats.service'],
}

/** What the section Unit says of a part that needs others. @param stores kinds of those that it works on itself */
export function order(deployment: Deployment, needs: readonly string[], stores: readonly StoreKind[] = []): Lines {
  const parts = [...deployment.roles, ...deployment.services].filter(({ name }) => needs.includes(name))
  const here = deployment.stores.filter((store) => store.here !== undefined && stores.includes(store.kind))
  const before = [
    'network-online.target',
    ...here.flatMap(({ kind }) => STORE_UNITS[kind]),
    ...parts.flatMap((part) => unitNames(deployment, part)),
  ]
  return [
    ['PartOf', 'msvc.target'],
    ['Wants', 'network-online.target'],
    ['After', before.join(' ')],
    // what is missing may come later
    ['StartLimitIntervalSec', '0'],
  ]
}

/** What every part is told by variables. */
export function surroundings({ environment: name, hosts, roles }: Deployment, part: string) {
  const registry = roles.find((role) => role.name === 'registry')
  return {
    MSVC_ENVIRONMENT: name,
    MSVC_AUTH_MODE: 'token',
    MSVC_AUTH_HOSTS: [...new Set([...hosts, 'localhost', '127.0.0.1'])].join(),
    ...(registry && part !== 'registry' && { REGISTRY_URL: `http://127.0.0.1:${registry.port}` }),
  }
}

/** Variables, a line each. */
export function environment(variables: Readonly<Record<string, UnitValue>>): Lines {
  return Object.entries(variables).map(([name, value]) => ['Environment', variable(name, value)])
}

/** Secrets, given by the manager. @param secrets the name of a file by the variable that says where it is */
export function credentials(secrets: Readonly<Record<string, string>>): Lines {
  return Object.entries(secrets).flatMap(([name, file]) => [
    ['LoadCredential', `${file}:${SECRETS}/${file}`] as const,
    ['Environment', variable(name, withSpecifiers`%d/${file}`)] as const,
  ])
}

/** The user's file, which may hold passwords: a unit is given it, and no other user of the machine. */
export function configCredential({ file }: Pick<Deployment, 'file'>): Lines {
  return file === undefined ? [] : [['LoadCredential', `${CONFIG}:${CONFIG_FOLDER}/${CONFIG}`]]
}

/** How a part is started, watched over and stopped. @param drainSeconds what it takes to finish */
export function lifecycle(drainSeconds: number): Lines {
  return [
    ['Type', 'notify'],
    // systemd-notify tells it, on behalf of the program
    ['NotifyAccess', 'all'],
    ['WatchdogSec', '30'],
    ['TimeoutStartSec', '90'],
    ['TimeoutStopSec', String(drainSeconds + BEYOND_DRAIN)],
    ['Restart', 'always'],
    ['RestartSec', '1'],
    ['KillMode', 'mixed'],
    ['OOMPolicy', 'stop'],
    ['LimitNOFILE', '65536'],
  ]
}
