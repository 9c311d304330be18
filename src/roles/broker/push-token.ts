import type { Authority } from '../../kit/auth/authority.ts'
import { isLoopbackName } from '../../kit/discovery/address-rule.ts'
import type { Directory } from '../../kit/discovery/directory.ts'

/** Whose subscription it is, and where its messages are posted. */
export interface PushTarget {
  /** The subscription's owner; undefined for nobody. */
  readonly owner: string | undefined
  readonly url: string
}

/** What tokens of pushes are made with. */
export interface PushTokenOptions {
  readonly authority: Pick<Authority, 'mode' | 'serviceToken'>
  readonly directory: Pick<Directory, 'instances'>
  /** What the broker calls itself. */
  readonly service: string
}

/**
 * Makes what gives the token that a push brings in token mode: the broker's own, for the service that owns the subscription, which may check it as it does any
 * caller's. It goes to this machine and to where that service is registered; whoever else a push goes to could use it at the service in the broker's name.
 */
export function createPushToken({
  authority,
  directory,
  service,
}: PushTokenOptions): (target: PushTarget) => Promise<string | undefined> {
  return async ({ owner, url }) => {
    // no service has a colon in its name: that is a person
    if (authority.mode !== 'token' || owner === undefined || owner.includes(':')) return undefined
    const { origin, hostname, username, password } = new URL(url)
    // it says itself who posts
    if (username !== '' || password !== '') return undefined
    const isIts = directory.instances(owner).some((instance) => new URL(instance.url).origin === origin)
    return isIts || isLoopbackName(hostname) ? authority.serviceToken(service, owner) : undefined
  }
}
