import * as z from 'zod'
import { Places } from '../config/places.ts'

/** Goes up when an older side could take a message for something else. */
export const CONTROL_VERSION = 1

const Names = z.array(z.string().max(200)).min(1).max(1_000)

/** What a running platform may be asked by who has its data folder. */
export const ControlRequest = z.discriminatedUnion('do', [
  /** Where it lives, and whether all its units are ready. */
  z.strictObject({ do: z.literal('look') }),
  /** What runs, and how it is. */
  z.strictObject({ do: z.literal('list') }),
  /** Starts units that were stopped, have finished or failed; answered when they are ready. Names as in `namedUnits`, here and below. */
  z.strictObject({ do: z.literal('start'), units: Names }),
  /** Stops units, until they are started again. */
  z.strictObject({ do: z.literal('halt'), units: Names }),
  /** Stops and starts units; `rolling`: one after the other. */
  z.strictObject({ do: z.literal('restart'), units: Names, rolling: z.boolean().default(false) }),
  /** Runs another number of replicas of a role or service. */
  z.strictObject({ do: z.literal('scale'), of: z.string(), replicas: z.int() }),
  /** Reads its configuration again, and starts, stops and restarts what that changes. */
  z.strictObject({ do: z.literal('apply') }),
  /** Becomes the program that lies at its place now, which must be of this version; answered once that is decided, before it begins to stop. */
  z.strictObject({ do: z.literal('upgrade'), version: z.string().max(64) }),
  /** Stops all of it in order; answered before it has. */
  z.strictObject({ do: z.literal('down') }),
  /** Says that a copy of it is going to be made while it runs: what that leaves in its stores is taken away when who asks is gone. */
  z.strictObject({ do: z.literal('copy') }),
  /** Has its roles look whether they reach other places, and load what they need there. */
  z.strictObject({ do: z.literal('prepare'), to: Places }),
  /** Holds it for a move; who asks decides it on the same connection within `budget_ms` milliseconds, else all goes on as it was. */
  z.strictObject({
    do: z.literal('hold'),
    id: z.string().regex(/^[\w-]{1,64}$/),
    to: Places,
    budget_ms: z.int().min(100).max(60_000),
  }),
  /** Has it begin on the new places: there is no way back. */
  z.strictObject({ do: z.literal('move'), id: z.string() }),
  /** Has it go on where it was. */
  z.strictObject({ do: z.literal('resume'), id: z.string() }),
])
export type ControlRequest = z.infer<typeof ControlRequest>

/** A line from who asks; numbers begin with 1. A later version may say more. */
export const Asked = z.object({ version: z.int(), number: z.int(), request: z.unknown() })

/** The number of an answer to nothing that was asked: why the connection is ended. */
export const REFUSED = 0

/** The line that answers it; as for `Asked`. */
export const Answered = z.object({
  version: z.int(),
  number: z.int(),
  answer: z.unknown().optional(),
  /** Why it was not done. */
  fault: z.object({ code: z.string(), message: z.string() }).optional(),
})

/** The answer to `look`. */
export const Look = z.object({ places: Places, ready: z.boolean() })
export type Look = z.infer<typeof Look>

/** A unit as other commands see it. Fields may be added. */
export const UnitRow = z.object({
  unit: z.string(),
  /** Its name in the registry; absent until it was ready once. */
  service: z.string().optional(),
  state: z.enum(['waiting', 'starting', 'ready', 'silent', 'backing-off', 'finished', 'failed', 'stopped']),
  /** What takes it so long to start, in its own words. */
  doing: z.string().optional(),
  /** How it is, for people: `waiting for broker`, `failed: exit code 1`. */
  words: z.string().optional(),
  /** Absent while it doesn't run. */
  pid: z.int().optional(),
  url: z.string().optional(),
  /** Where its service is reached through the gateway: URLs. */
  routes: z.array(z.string()).readonly().optional(),
  restarts: z.int().optional(),
  /** How often it has ended without 10 s of readiness between, while it waits for its next start or is given up. */
  ends_in_a_row: z.int().optional(),
  /** How many restarts in a row it may have; absent for one that is never given up. */
  restart_budget: z.int().optional(),
  /** When it is started again (RFC 3339). */
  next_start: z.string().optional(),
  /** When it came into its state (RFC 3339). */
  since: z.string().optional(),
  /** Why it last ended by itself, such as `SIGKILL` or `exit code 1`. */
  ended: z.string().optional(),
})
export type UnitRow = z.infer<typeof UnitRow>

/** The answer to `list`. */
export const Units = z.object({
  units: z.array(UnitRow),
  /** Whether the platform has started, as far as its units do, and those that are ready as soon as they run have run for a second. */
  started: z.boolean().default(true),
})

/** The answer where there is nothing to tell. */
export const Done = z.object({})

const NamesOfUnits = z.array(z.string()).readonly()

/** What changed of what runs, by the units' names. */
export const Changes = z.object({
  started: NamesOfUnits,
  stopped: NamesOfUnits,
  restarted: NamesOfUnits,
  /** Those that run on, by settings that were changed. */
  reloaded: NamesOfUnits.default([]),
  /** What somebody should know besides: why something was restarted that should have been reloaded, or that what was to be started runs already. */
  notes: z.array(z.string()).readonly().default([]),
  /** Settings that were changed, and that hold after `down` and `up` alone. */
  pending_restart: z.array(z.string()).readonly().default([]),
  /** Of those that were started or restarted: what has failed, or still starts. */
  unready: z
    .array(UnitRow.pick({ unit: true, state: true, words: true }))
    .readonly()
    .default([]),
})
export type Changes = z.infer<typeof Changes>

/** That nothing has changed. */
export const NO_CHANGES: Changes = {
  started: [],
  stopped: [],
  restarted: [],
  reloaded: [],
  notes: [],
  pending_restart: [],
  unready: [],
}

/** The answer to `upgrade`: the version that runs until then. */
export const Upgrading = z.object({ from: z.string() })

/** The answer to `move`: for how long requests waited at most, milliseconds. */
export const Moved = z.object({ paused_ms: z.number() })
