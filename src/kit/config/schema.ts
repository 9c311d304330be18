import * as z from 'zod'
import { advertiseFault, roleReachedHere, withoutPort } from '../discovery/advertised.ts'
import { endpointsFault, printEndpoint } from '../discovery/endpoint.ts'
import { ExportTarget } from './export-target.ts'

/** Where others reach a role, if not where it listens. */
const Advertised = z.string().refine((text) => advertiseFault(text) === undefined, {
  error: ({ input }) => `expected a host, or host:port, that others reach; this is ${advertiseFault(String(input))}`,
})

/** The same without a port: that of whatever listens there. */
const AdvertisedHost = Advertised.refine((text) => withoutPort(text) === text, {
  error: 'expected a host alone: each service has a port of its own',
})

/** Where a role listens, and where others reach it: the part of its section that every role has. Port 0 takes a free one. */
export const Listen = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(0).max(65_535),
  advertise: Advertised.optional(),
})
export type Listen = z.infer<typeof Listen>

/** A role's whole section: where it listens, and what its own schema says. */
export type Section = Listen & Readonly<Record<string, unknown>>

/** The addresses of a service that runs elsewhere, separated by commas. Any host: whoever writes the configuration may name it. */
const ServiceUrls = z.string().refine((list) => endpointsFault(list) === undefined, {
  error: ({ input }) =>
    `an address such as http://127.0.0.1:8500 or https://shop.example/base is wanted; this is ${endpointsFault(String(input))}`,
})

/** Where a key set is. Any host: whoever writes the configuration may name it. */
const JwksUrl = z.string().refine((url) => !url.includes(',') && endpointsFault(url) === undefined, {
  error: ({ input }) =>
    `a URL such as http://gateway:8000/.well-known/jwks.json is wanted; this is ${endpointsFault(String(input)) ?? 'a list'}`,
})

/**
 * A name as it stands in a Host header, without its port. There is no wildcard: what isn't named is not served, or a page could have its own
 * name rebound to this address.
 */
const HostName = z
  .string()
  .regex(
    // what ends in a number is an IPv4 address or nothing (https://url.spec.whatwg.org/#ends-in-a-number-checker)
    /^(?:(?:(?:25[0-5]|(?:2[0-4]|1\d|[1-9])?\d)(?:\.(?=\d)|$)){4}|(?!(?:.*\.)?\d+\.?$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?|\[[0-9a-f:.]+\])$/i,
  )
  .max(254)
  .meta({ expected: 'a name such as api.example.com, without scheme, port or *' })

/** An origin as a browser writes it (RFC 6454 §6.2). */
export const Origin = z
  .string()
  .refine((text) => /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text, {
    error: ({ input }) => `expected an origin such as https://shop.example, without path or *, got ${String(input)}`,
  })

/**
 * The platform's part of the configuration, the same for every role (design §6, §8; the defaults are security.md's).
 * A role's section stands beside these keys under the role's CLI word.
 */
export const Platform = z.strictObject({
  environment: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
    .meta({ expected: 'a name of small letters, digits and dashes' })
    .default('development'),
  data: z.string().min(1).default('.msvc'),
  auth: z
    .strictObject({
      mode: z.enum(['local', 'token']).default('local'),
      issuer: z.string().min(1).default('msvc'),
      key_file: z.string().min(1).optional(),
      jwks: JwksUrl.optional(),
      token_file: z.string().min(1).optional(),
      hosts: z.array(HostName).default([]),
      origins: z.array(Origin).default([]),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']).default('INFO'),
      format: z.enum(['text', 'json']).default('text'),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      traces_per_second: z.int().min(0).max(100_000).default(100),
      export: z.array(ExportTarget).max(8).default([]),
    })
    .prefault({}),
  store: z.string().min(1).default('sqlite:'),
  bus: z.string().min(1).default('embedded:'),
  cache: z.string().min(1).default('memory:'),
  services: z.record(z.string(), ServiceUrls).default({}),
  client: z
    .strictObject({
      timeout_ms: z.int().min(1).max(600_000).default(5_000),
      attempts: z.int().min(1).max(10).default(3),
      breaker_failures: z.int().min(1).max(1_000).default(5),
      breaker_open_ms: z.int().min(1).max(60_000).default(60_000),
    })
    .prefault({}),
  limits: z
    .strictObject({
      header_bytes: z.int().min(1_024).max(1_048_576).default(16_384),
      header_fields: z.int().min(16).max(2_000).default(200),
      body_pieces: z.int().min(1).max(100_000_000).default(16_384),
      headers_timeout_ms: z.int().min(1).max(600_000).default(10_000),
      request_timeout_ms: z.int().min(1).max(3_600_000).default(30_000),
      requests_per_connection: z.int().min(1).max(10_000).default(32),
      held_requests: z.int().min(0).max(1_000_000).default(4_096),
      held_body_bytes: z.int().min(1_048_576).max(17_179_869_184).default(67_108_864),
      max_connections: z.int().min(1).max(1_000_000).default(10_000),
      connections_share: z.number().min(0.001).max(1).default(0.5),
      waits: z.int().min(1).max(1_000_000).default(1_000),
      waits_per_caller: z.int().min(1).max(1_000_000).default(100),
      queued_bytes: z.int().min(1_024).max(17_179_869_184).default(67_108_864),
      queued_bytes_per_reader: z.int().min(1_024).max(1_073_741_824).default(1_048_576),
    })
    .prefault({}),
  up: z
    .strictObject({
      in_process: z.boolean().default(false),
      host: z.string().min(1).default('127.0.0.1'),
      advertise: AdvertisedHost.optional(),
      build: z.boolean().default(true),
      without: z.array(z.string()).default([]),
    })
    .prefault({}),
  drain_seconds: z.int().min(0).max(3_600).default(10),
  liveness_seconds: z.int().min(1).max(86_400).default(30),
})

/** The platform's part after loading: every default filled in, `data` an absolute path. */
export type Settings = z.infer<typeof Platform>

/** Where a section's role is reached from this machine; a listener on every address is reached on the loopback one. */
export function addressOf({ host, port }: Pick<Listen, 'host' | 'port'>): string {
  return printEndpoint({ host: roleReachedHere(host), port })
}

/** A role's own part of its section. */
export function ownFields({
  host: _host,
  port: _port,
  advertise: _advertise,
  ...own
}: Section): Readonly<Record<string, unknown>> {
  return own
}
