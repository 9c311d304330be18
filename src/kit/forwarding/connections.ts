import type { Clock } from '../../drivers/clock.ts'
import { createInstanceFetch, type InstanceFetch } from '../upstream/instance-fetch.ts'
import { createUpstreams, type Upstreams, type UpstreamsOptions } from '../upstream/upstreams.ts'
import { startWatchdog, type Watchdog } from '../upstream/watchdog.ts'

/** What a role that forwards has open. */
export interface ForwardingConnections {
  readonly upstreams: Upstreams
  readonly watchdog: Watchdog
  /** What a balancer asks ejected instances with, and until when. */
  readonly probing: { readonly fetchOf: InstanceFetch; readonly signal: AbortSignal }
}

/** What it is opened with. */
export interface ForwardingConnectionsOptions extends Pick<UpstreamsOptions, 'directory' | 'limits'> {
  readonly clock: Clock
  /** Takes what closes them. */
  readonly defer: (cleanup: () => void) => void
}

/** Opens what all forwarded requests of a role share. */
export function openForwardingConnections(options: ForwardingConnectionsOptions): ForwardingConnections {
  const { clock, defer } = options
  const upstreams = createUpstreams(options)
  defer(() => upstreams.close())
  const watchdog = startWatchdog({ clock })
  defer(() => watchdog.stop())
  // probes have connections of their own: a request's may be dead, and its end only wait to be noticed
  const probes = createUpstreams(options)
  defer(() => probes.close())
  const stop = new AbortController()
  defer(() => stop.abort())
  return { upstreams, watchdog, probing: { fetchOf: createInstanceFetch(probes), signal: stop.signal } }
}
