import { type Balancer, type BalancerOptions, createBalancer } from '../discovery/balancer.ts'
import type { Directory, Instance } from '../discovery/directory.ts'
import { pause } from '../pause.ts'
import type { InstanceFetch } from './instance-fetch.ts'

/** Milliseconds between two probes of an instance that is out: an order goes by several calls, and all of them within 2 s. */
const PROBE_EVERY_MS = 500
/** The longest that one of them may take, milliseconds: the next one doesn't wait for it, since it may hang on a wire that is whole by now. */
const PROBE_MS = 1_000

/** What a recovering balancer works with. */
export interface RecoveryOptions extends BalancerOptions {
  readonly directory: Pick<Directory, 'instances'>
  /** What connects. */
  readonly fetchOf: InstanceFetch
  /** Who asks, as User-Agent. */
  readonly agent?: string
  /** Ends the probing. */
  readonly signal: AbortSignal
}

/**
 * A balancer whose ejected instances are asked twice a second for their readiness, so that they are tried as soon as they are well, and not when
 * their hold is over. What answers at all below 500 is worth a try: a service elsewhere need not have `/readyz`. An instance that the
 * directory no longer lists is asked no more; one that comes back is another.
 */
export function createRecoveringBalancer(options: RecoveryOptions): Balancer {
  const { directory, fetchOf, agent, signal, onChange, ...rest } = options
  const asked = new Set<Instance>()
  const balancer = createBalancer({
    ...rest,
    onChange(instance, change) {
      onChange?.(instance, change)
      if (change === 'ejected' && !asked.has(instance)) void ask(instance)
    },
  })

  async function ask(instance: Instance): Promise<void> {
    asked.add(instance)
    await pause(PROBE_EVERY_MS, signal)
    while (!signal.aborted && balancer.isEjected(instance) && isListed(instance)) {
      void probe(instance)
      await pause(PROBE_EVERY_MS, signal)
    }
    asked.delete(instance)
  }

  function isListed(instance: Instance): boolean {
    return directory.instances(instance.service_name).includes(instance)
  }

  async function probe(instance: Instance): Promise<void> {
    try {
      const answer = await fetchOf(instance)(`${instance.url}/readyz`, {
        headers: agent === undefined ? {} : { 'user-agent': agent },
        signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]),
      })
      if (answer.status < 500) balancer.answered(instance)
      await answer.body?.cancel()
    } catch {
      // not well yet
    }
  }

  return balancer
}
