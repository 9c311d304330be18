import type { Publication } from '../../drivers/bus/publisher.ts'
import { topicPattern } from '../../drivers/bus/topic-pattern.ts'
import type { Identity } from '../../kit/auth/identity.ts'
import { wantSomebody } from '../../kit/auth/ownership.ts'
import type { Scope } from '../../kit/auth/scopes.ts'
import { AppError } from '../../kit/errors.ts'
import { withTrueAuthContext } from '../../kit/messaging/auth-context.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { type BrokerConfig, PLATFORM_TOPICS } from './config.ts'

/** What owners may, operators may. */
const OPERATOR: Scope = 'messages:admin'

/** What has an owner, or none. */
interface Owned {
  readonly owner?: string | undefined
}

/**
 * Whose topics, groups and subscriptions are, and what the asker may do with them. What a local caller makes is
 * everybody's.
 */
export interface Ownership {
  /** Topics, by their names, that there is always a place for. */
  readonly reservedTopics: readonly string[]
  /** Whose it is what the asker makes now; undefined for a local one and for an operator, who may have any. */
  owner(): string | undefined
  /**
   * The messages as the asker may publish them: none names another person. Throws AppError `FORBIDDEN` for one to a topic that belongs to others.
   */
  checkPublish(messages: readonly Publication[]): readonly Publication[]
  /** Throws AppError `FORBIDDEN` for a group with the name of a service that owns topics, unless that one asks. */
  checkGroup(group: string | undefined): void
  /** Throws AppError `FORBIDDEN` for a subscription that isn't the asker's. */
  checkUse(subscription: Owned): void
  /** Whether it is there for who looks: a service sees its own. */
  sees(subscription: Owned): boolean
  /** Throws AppError `FORBIDDEN` for a service that looks at what isn't its own; of everybody's (undefined) it sees nothing. */
  checkLook(subscription: Owned | undefined): void
  /** Whether it is the asker's own, or he is one for whom owners make no difference. */
  isOwn(subscription: Owned): boolean
  /** Whether it is a subscription of an owner's group to an owned topic: there are only so many. */
  isReserved(topic: string, group: string | undefined): boolean
}

/** Makes the ownership that a configuration says, over the platform's own. */
export function createOwnership(config: Pick<BrokerConfig, 'topics'>): Ownership {
  const owned = Object.entries({ ...PLATFORM_TOPICS, ...config.topics }).flatMap(([source, topic]) =>
    topic ? [{ pattern: topicPattern(source), publishers: new Set(topic.publish) }] : [],
  )
  const exact = new Map(owned.filter(({ pattern }) => pattern.exact).map((topic) => [topic.pattern.source, topic]))
  const patterns = owned.filter(({ pattern }) => !pattern.exact)
  const platform = Object.values(PLATFORM_TOPICS).flatMap((topic) => topic?.publish ?? [])
  const owners = new Set([...platform, ...owned.flatMap(({ publishers }) => [...publishers])])

  /** Who asks, where that makes a difference. */
  function restricted(): Identity | undefined {
    const asker = wantSomebody(currentScope()?.asker, 'What the broker keeps belongs to who makes it')
    return asker.is === 'local' || asker.scopes.has(OPERATOR) ? undefined : asker
  }

  function checkTopic(topic: string, asker: Identity): void {
    const found = exact.get(topic) ?? patterns.find(({ pattern }) => pattern.matches(topic))
    if (!found || (asker.is === 'service' && found.publishers.has(asker.subject))) return
    const names = [...found.publishers].join(', ')
    throw new AppError('FORBIDDEN', 'Forbidden', {
      detail: `The topic ${topic} belongs to ${names}: only it publishes there`,
    })
  }

  function isOwn({ owner }: Owned): boolean {
    const asker = restricted()
    return !asker || nameOf(asker) === owner
  }

  function sees(subscription: Owned): boolean {
    return restricted()?.is !== 'service' || isOwn(subscription)
  }

  return {
    reservedTopics: [...exact.keys()],
    owner() {
      const asker = restricted()
      return asker && nameOf(asker)
    },
    checkPublish(messages) {
      const asker = restricted()
      if (asker) for (const { topic } of messages) checkTopic(topic, asker)
      const sender = currentScope()?.asker
      if (sender?.is !== 'user') return messages
      return messages.map((message) => ({ ...message, attributes: withTrueAuthContext(message.attributes, sender) }))
    },
    checkGroup(group) {
      const asker = restricted()
      if (!asker || group === undefined || !owners.has(group) || nameOf(asker) === group) return
      throw new AppError('FORBIDDEN', 'Forbidden', { detail: `The group ${group} belongs to the service of that name` })
    },
    sees,
    checkLook(subscription) {
      if (sees(subscription ?? {})) return
      throw new AppError('FORBIDDEN', 'Forbidden', {
        detail: 'A service looks at its own subscriptions alone: name one',
      })
    },
    isOwn,
    checkUse({ owner }) {
      if (isOwn({ owner })) return
      const whose = owner ?? 'nobody: subscribe to its group again to make it yours'
      throw new AppError('FORBIDDEN', 'Forbidden', { detail: `This subscription belongs to ${whose}` })
    },
    isReserved: (topic, group) => group !== undefined && owners.has(group) && exact.has(topic),
  }
}

/** A person's name is told apart from a service's: no service has a colon in it. */
function nameOf({ is, subject }: Identity): string {
  return is === 'service' ? subject : `user:${subject}`
}
