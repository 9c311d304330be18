import type { Clock } from '../../drivers/clock.ts'
import { createBalancer, type Verdict } from '../../kit/discovery/balancer.ts'
import type { Directory } from '../../kit/discovery/directory.ts'
import { servicePlace } from '../../kit/discovery/service-url.ts'

/** Where one post goes. */
export interface PushPlace {
  readonly url: string
  /** Call it when the post is over: what fails at one instance goes to another next. */
  done(outcome: Verdict): void
}

/**
 * Makes what tells where a subscription's next post goes: to its URL as it is, or, for `service://<name>/<path>`, to one of the instances that are registered by
 * that name now. It gives undefined while none is.
 */
export function createPushPlaces(options: {
  readonly directory: Pick<Directory, 'instances'>
  readonly clock: Clock
}): (url: string) => PushPlace | undefined {
  const { directory, clock } = options
  const balancer = createBalancer({ clock })
  return (url) => {
    const named = servicePlace(url)
    if (!named) return { url, done: () => {} }
    const picked = balancer.pick(directory.instances(named.service))
    return picked && { url: `${picked.instance.url}${named.path}`, done: picked.done.bind(picked) }
  }
}
