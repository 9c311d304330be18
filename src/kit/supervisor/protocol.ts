import * as z from 'zod'
import type { Job, Started } from './member.ts'

/** What a role's process tells its supervisor. */
export const Report = z.discriminatedUnion('type', [
  /** Loaded and waiting for `start`. */
  z.object({ type: z.literal('booted') }),
  z.object({ type: z.literal('ready'), service: z.string(), instance: z.string(), url: z.string() }),
  /** It refuses to start; the message is for people. */
  z.object({ type: z.literal('refused'), message: z.string() }),
])
export type Report = z.infer<typeof Report> | ({ type: 'ready' } & Started)

/** What the supervisor tells a role's process. */
export interface StartOrder {
  readonly type: 'start'
  readonly job: Job
}

/** The channel to the process that started this one. */
export interface ParentChannel {
  send(message: unknown): void
  /** Calls back with every message from now on. */
  onMessage(take: (message: unknown) => void): void
}
