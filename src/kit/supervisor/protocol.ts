import * as z from 'zod'
import { Places } from '../config/places.ts'
import type { Job } from './job.ts'
import type { Started } from './unit.ts'

/** What a role's process tells its supervisor. */
export const Report = z.discriminatedUnion('type', [
  /** Loaded and waiting for `start`. */
  z.object({ type: z.literal('booted') }),
  z.object({
    type: z.literal('ready'),
    service: z.string(),
    instance: z.string(),
    url: z.string(),
    advertised: z.string(),
  }),
  /** The answer to a probe. */
  z.object({ type: z.literal('alive') }),
  /** It refuses to start; the message is for people, the code tells whether the configuration is to blame. */
  z.object({
    type: z.literal('refused'),
    code: z.enum(['CONFIG_INVALID', 'START_FAILED']),
    message: z.string(),
  }),
  /** The answer to a step; `fault`: why it could not be taken. */
  z.object({ type: z.literal('stepped'), number: z.int(), fault: z.string().optional() }),
])
export type Report = z.infer<typeof Report> | ({ type: 'ready' } & Started)

/**
 * What a role is asked to do while it runs: a step of a cutover (cutover/role-cutover.ts), to take changed settings (`RunningHost.reload`), or
 * connections of a socket that outlives it (`RunningHost.join`).
 */
export const Step = z.discriminatedUnion('step', [
  z.object({ step: z.literal('prepare'), to: Places }),
  z.object({
    step: z.literal('hold'),
    cutover: z.object({ id: z.string(), to: Places, leaseMs: z.number() }),
    ms: z.number(),
  }),
  z.object({ step: z.literal('begin'), id: z.string(), on: z.enum(['old', 'new']) }),
  z.object({ step: z.literal('reload'), changes: z.record(z.string(), z.unknown()) }),
  /** Comes with the socket (held-port.ts), unless it began with one. */
  z.object({ step: z.literal('join') }),
])
export type Step = z.infer<typeof Step>

/** What the supervisor tells a role's process. The order comes from the process that started this one, with the same code: a job's shape is certain. */
export const Order = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    job: z.custom<Job>((job) => typeof job === 'object' && job !== null),
  }),
  /** Asks whether it still takes turns: to be answered at once, with `alive`. */
  z.object({ type: z.literal('probe') }),
  /** As a signal would: for systems that have none to ask a process by. */
  z.object({ type: z.literal('stop') }),
  /** To be answered by `stepped` with the same number, once the step is taken. */
  z.object({ type: z.literal('step'), number: z.int(), step: Step }),
])
export type Order = z.infer<typeof Order>

/** The channel to the process that started this one. */
export interface ParentChannel {
  send(message: unknown): void
  /** Calls back with every message from now on, and the socket that came with it. */
  onMessage(take: (message: unknown, held?: unknown) => void): void
}
