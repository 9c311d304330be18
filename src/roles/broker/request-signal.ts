import type { Context } from 'hono'
import type { AppEnv } from '../../kit/role.ts'

/** Fires when there is no point in waiting for a request's answer any more. */
export interface RequestSignal {
  readonly signal: AbortSignal
  /** True when the caller went away. */
  gone(): boolean
  /** Call it when the wait is over. */
  release(): void
}

/** Follows one request: its signal fires when the caller goes away or the role stops. */
export function requestSignal(c: Context<AppEnv>, stopping: AbortSignal): RequestSignal {
  const outgoing = c.env?.exchange?.outgoing
  const controller = new AbortController()
  const abort = () => controller.abort()
  stopping.addEventListener('abort', abort)
  outgoing?.once('close', abort)
  if (stopping.aborted || outgoing?.destroyed) abort()
  return {
    signal: controller.signal,
    gone: () => outgoing?.destroyed ?? false,
    release() {
      stopping.removeEventListener('abort', abort)
      outgoing?.removeListener('close', abort)
    },
  }
}
