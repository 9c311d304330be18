import * as z from 'zod'
import { globFault } from '../glob.ts'
import { HTTP_METHODS } from '../http/methods.ts'
import { MOST_REPLICAS } from './replicas.ts'

/** How it is known that a service is ready. */
export type Readiness =
  /** A GET of the path is answered with 2xx or 3xx. */
  | { readonly by: 'http'; readonly path: string }
  /** Somebody listens on its port. */
  | { readonly by: 'tcp' }
  /** It has written a line that holds the text. */
  | { readonly by: 'log'; readonly text: string }
  /** The command ends with exit code 0. */
  | { readonly by: 'exec'; readonly command: string }
  /** As soon as it runs. It has no port, and is not registered: a worker. */
  | { readonly by: 'none' }

const READINESS = 'http /health, tcp, log "listening on", exec ./ready.sh, or none'

/** Reads a service's `ready`; undefined for what is none. */
function readReadiness(text: string): Readiness | undefined {
  if (text === 'tcp' || text === 'none') return { by: text }
  const [, by, rest = ''] = /^(http|log|exec)\s+(\S.*)$/s.exec(text) ?? []
  if (by === 'http') return /^\/\S*$/.test(rest) ? { by, path: rest } : undefined
  if (by === 'log') return { by, text: /^"(.+)"$/s.exec(rest)?.[1] ?? rest }
  return by === 'exec' ? { by, command: rest } : undefined
}

/** A name in the registry that every system takes for a host's too. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** A variable's name (POSIX.1-2024, XBD 8.1). */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/
const Path = z
  .string()
  .regex(/^\/[^\s?#]*$/)
  .meta({ expected: 'a path such as /events/order' })
const Words = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .meta({ expected: 'a line for the shell, or a list of words' })
const Milliseconds = z.int().min(1).max(600_000)

/** Who may do what: as at the gateway's routes. */
const Access = z
  .union([z.literal('public'), z.literal('token'), z.array(z.string().min(1)).min(1)])
  .meta({ expected: 'public, token, or a list of scopes' })

const RouteOfService = z.strictObject({
  path: z.string().min(1).describe('Whole leading segments of the path at the gateway, such as /catalog.'),
  methods: z
    .partialRecord(z.enum(HTTP_METHODS), Access)
    .describe('Who may send what: a method, and public, token or a list of scopes.'),
  strip: z.boolean().default(false).describe('Whether the service gets the path without that of the route.'),
  limit: z
    .strictObject({ per_second: z.number().min(0.001).max(1_000_000), burst: z.int().min(1).max(1_000_000) })
    .describe('How many requests one caller may send.')
    .optional(),
})

/** What a service does about messages of a topic. */
const Received = z.strictObject({
  to: Path.describe('The path of the service to which each message is posted.'),
  max_deliver: z
    .int()
    .min(1)
    .max(1_000)
    .describe('Deliveries in vain before a message becomes a dead letter. Default 5.')
    .optional(),
  ack_wait: z.number().min(0.1).max(43_200).describe('Seconds that the service has for one. Default 30.').optional(),
})

/** What its calls to another service obey. Defaults: the platform's `client`. */
const CallPolicy = z.strictObject({
  timeout_ms: Milliseconds.optional(),
  attempts: z.int().min(1).max(10).optional(),
  breaker_failures: z.int().min(1).max(1_000).optional(),
  breaker_open_ms: z.int().min(1).max(60_000).optional(),
})

const RestartWhen = z.enum(['always', 'on-failure', 'never'])
const Restart = z.strictObject({
  when: RestartWhen.default('always'),
  budget: z
    .int()
    .min(1)
    .max(1_000)
    .describe('How often it is started again before it has been ready for 10 seconds. Default: without end.')
    .optional(),
})
type Restart = z.output<typeof Restart>

/** The names that stand in `services`. */
export const OwnServiceName = z.string().regex(NAME).meta({ expected: 'a name of small letters, digits and dashes' })

/** A service of the user's own, as `services` has it: run, watched over and wired by `msvc up`. */
export const OwnService = z.strictObject({
  run: Words.describe('The command: a line for the shell, or a list of words without one.'),
  dir: z.string().min(1).default('.').describe("Where it runs, from this file's own folder."),
  env: z
    .record(
      z.string().regex(VARIABLE).meta({ expected: 'the name of a variable' }),
      z
        .union([z.string(), z.number(), z.boolean()])
        .transform(String)
        .meta({ expected: 'text, a number, true or false' }),
    )
    .default({})
    .describe('Variables of its environment; ${VAR} and ${VAR:-default} are filled in.'),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .describe('Where its first replica listens; further ones take free ports. Default: a free one.')
    .optional(),
  ready: z
    .string()
    .transform((text, context) => {
      const readiness = readReadiness(text)
      if (readiness) return readiness
      context.addIssue({ code: 'custom', message: `expected ${READINESS}, got ${JSON.stringify(text)}` })
      return z.NEVER
    })
    .prefault('tcp')
    .describe(`How it is known that it is ready: ${READINESS} (a worker without a port).`),
  needs: z.array(z.string().min(1)).default([]).describe('Roles and services that must be ready before it starts.'),
  replicas: z.int().min(1).max(MOST_REPLICAS).default(1),
  watch: z
    .array(
      z
        .string()
        .min(1)
        .superRefine((pattern, context) => {
          const fault = globFault(pattern)
          if (fault !== undefined) context.addIssue({ code: 'custom', message: `${pattern.slice(0, 100)}: ${fault}` })
        }),
    )
    .default([])
    .describe('Patterns of files, from its folder, whose change restarts it, such as **/*.py.'),
  build: Words.describe('A command that is run before the first start, and after a change.').optional(),
  route: RouteOfService.describe('What the gateway passes on to it.').optional(),
  receives: z
    .record(z.string().min(1), Received)
    .default({})
    .describe('By topic (wildcards too): each message is posted to it as a CloudEvent.'),
  calls: z
    .union([z.literal('direct'), z.record(z.string().min(1), CallPolicy)])
    .default({})
    .describe("By service: what calls to it obey; or direct: the services' own addresses."),
  secrets: z
    .array(z.string().regex(VARIABLE).meta({ expected: 'the name of a variable' }))
    .default([])
    .describe('Names of secrets of the config server, which become variables.'),
  stop: z
    .strictObject({
      signal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL']).default('SIGTERM'),
      grace_ms: z.int().min(0).max(600_000).default(10_000).describe('Milliseconds until it is killed.'),
    })
    .prefault({})
    .describe('How it is stopped.'),
  restart: z
    .union([RestartWhen.transform((when): Restart => ({ when })), Restart])
    .prefault('always')
    .describe(
      'What follows when it has ended by itself: always, on-failure or never, or { when, budget }. One that never restarts and ends with 0 is a finished job.',
    ),
})
/** One that is checked, its folder an absolute path. */
export type OwnService = z.output<typeof OwnService>

/** Services by their names. */
export type OwnServices = Readonly<Record<string, OwnService>>
