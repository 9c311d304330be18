import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Composition } from '../../../src/cli/deploy/testing/compose-rules.ts'
import { find } from '../../servers/programs.ts'
import { type Family, startEngine } from './engine.ts'
import { type KeptContainer, keepContainer } from './kept-container.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** How much slower than a machine of its own this one may be, by which tests run. */
const BUSY = 3

type Service = Composition['services'][string]

/** What of an image a container is played by. */
interface Image {
  readonly environment: Readonly<Record<string, string>>
  readonly uid: number
  /** What stands before the words of the command. */
  readonly entrypoint: readonly string[]
}

/** As `docker-entrypoint.sh` of the image does: makes the database at the first start. */
const POSTGRES = `
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --auth-local trust --auth-host scram-sha-256 --no-sync -D "$PGDATA" >/dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  echo "fsync = off" >> "$PGDATA/postgresql.conf"
  echo "create database \\"$POSTGRES_DB\\"" | postgres --single -D "$PGDATA" postgres >/dev/null
fi
exec "$@"`

function imageOf({ image, user }: Service): Image {
  const uid = Number(user?.split(':')[0] ?? 0)
  const [name] = image.split(':')
  if (name === 'msvc')
    return {
      environment: { PATH, MSVC_DATA: '/data/msvc', MSVC_LOG_FORMAT: 'json' },
      uid,
      entrypoint: ['/usr/local/bin/msvc'],
    }
  if (name !== 'postgres') return { environment: { PATH }, uid, entrypoint: [] }
  const programs = dirname(realpathSync(find('postgres', 'initdb') ?? '/usr/bin'))
  const environment = { PATH: `${PATH}:${programs}`, PGDATA: '/var/lib/postgresql/data' }
  return { environment, uid, entrypoint: ['/bin/sh', '-ec', POSTGRES, 'sh'] }
}

/** A composition that runs. */
export interface Composed extends AsyncDisposable {
  /** Of a service, in the order of its replicas. */
  containers(service: string): readonly KeptContainer[]
  /** Services in the order in which they were well. */
  readonly well: readonly string[]
  /** Process whose network namespace is the machine's. */
  readonly machine: number
  /** Where a replica is for whom is on the machine, as a URL has it. */
  host(container: KeptContainer, network: string): string
}

/** What a composition is played by. */
export interface ComposedOptions {
  readonly composition: Composition
  /** The folder of compose.yaml. */
  readonly home: string
  /** A folder of the test's own, for volumes and mounts. */
  readonly folder: string
  /** The script that stands for the program. */
  readonly program: string
  /** Which addresses its networks have. Default: IPv4 */
  readonly family?: Family
}

/**
 * Runs a composition as compose does: each replica in namespaces of its own, with the environment, command, files and networks that it says, a service once
 * those are well that it depends on. Rejects with what a container has said that isn't well in time, or ends.
 */
export async function startComposed(options: ComposedOptions): Promise<Composed> {
  const { composition, home, folder, program, family = 'IPv4' } = options
  const { services, secrets, configs } = composition
  const engine = await startEngine(composition.networks, family)
  const places = placesOf(services)
  const running = new Map<string, readonly KeptContainer[]>()
  const well: string[] = []
  const stop = async () => {
    await Promise.all([...running.values()].flat().map((container) => container.kill()))
    await engine[Symbol.asyncDispose]()
  }
  const begun = new Map<string, Promise<void>>()
  const begin = (name: string): Promise<void> => {
    const known = begun.get(name)
    if (known) return known
    const beginning = beginNow(name)
    begun.set(name, beginning)
    return beginning
  }
  try {
    const outcomes = await Promise.allSettled(Object.keys(services).map(begin))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  } catch (fault) {
    await stop()
    throw fault
  }
  return {
    containers: (name) => running.get(name) ?? [],
    well,
    machine: engine.pid,
    host: ({ place }, network) => engine.host(network, place),
    [Symbol.asyncDispose]: stop,
  }

  async function beginNow(name: string): Promise<void> {
    const service = services[name]
    if (!service) throw new Error(`there is no ${name}`)
    await Promise.all(Object.keys(service.depends_on).map(begin))
    const containers = await Promise.all(
      (places.get(name) ?? []).map((place) => keepContainer(engine, specOf(name, service, place))),
    )
    running.set(name, containers)
    await Promise.all(containers.map((container) => untilWell(container, service)))
    well.push(name)
  }

  function specOf(name: string, service: Service, place: number) {
    const { environment, uid, entrypoint } = imageOf(service)
    const networks = Object.keys(service.networks).sort((a, b) => priority(service, b) - priority(service, a))
    const own = join(folder, `${name}-${place}`)
    const hosts = Object.entries(services).flatMap(([other, { networks: others }]) => {
      const common = networks.find((network) => network in others)
      return common === undefined
        ? []
        : (places.get(other) ?? []).map((each) => `${engine.address(common, each)} ${other}`)
    })
    const fileOf = (file = '') => join(home, file)
    return {
      ...{ name, place, networks, hosts, uid, folder: own, program, tmpfs: service.tmpfs },
      environment: { ...environment, ...service.environment },
      words: [...entrypoint, ...service.command],
      files: Object.fromEntries([
        ...service.secrets.map((secret) => [`/run/secrets/${secret}`, fileOf(secrets[secret]?.file)]),
        ...service.configs.map(({ source, target }) => [target, fileOf(configs[source]?.file)]),
      ]),
      volumes: Object.fromEntries(
        service.volumes.map((volume) => {
          const [from = '', to = from] = volume.split(':')
          return [to, join(own, `volume-${from.replaceAll('/', '')}`)]
        }),
      ),
    }
  }
}

const priority = ({ networks }: Service, network: string) => networks[network]?.priority ?? 0

/** A place for each replica, the same in all networks. */
function placesOf(services: Composition['services']): ReadonlyMap<string, readonly number[]> {
  let next = 2
  return new Map(
    Object.entries(services).map(([name, { deploy }]) => [name, Array.from({ length: deploy.replicas }, () => next++)]),
  )
}

/** Asks by its own health check. */
async function untilWell(container: KeptContainer, { healthcheck }: Service): Promise<void> {
  const { test, start_period: period, start_interval: interval } = healthcheck
  const [kind, ...words] = test
  const command = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : words
  const until = Date.now() + seconds(period) * BUSY * 1_000
  for (;;) {
    const said = await container.exec(command).then(
      () => undefined,
      (fault: unknown) => String(fault),
    )
    if (said === undefined) return
    if (container.over || Date.now() > until)
      throw new Error(`${container.name} is not well: ${container.over ?? said}\n${container.lines.join('\n')}`)
    await sleep(seconds(interval) * 1_000)
  }
}

const seconds = (text: string) => Number.parseFloat(text)
