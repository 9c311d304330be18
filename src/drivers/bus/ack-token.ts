/** What a token names: one delivery of one message to one subscription. */
export interface AckToken {
  /** Key of the subscription. */
  readonly subscription: number
  readonly position: number
  readonly attempt: number
}

const FORM = /^([0-9a-z]{1,11})-([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

/**
 * Writes a token. It is no secret, only a name that a later delivery doesn't share: who may acknowledge is who knows the
 * subscription's id.
 */
export function ackToken({ subscription, position, attempt }: AckToken): string {
  return `${subscription.toString(36)}-${position.toString(36)}-${attempt.toString(36)}`
}

/** Reads a token; undefined when it is none. */
export function parseAckToken(text: string): AckToken | undefined {
  const [, subscription, position, attempt] = FORM.exec(text) ?? []
  if (subscription === undefined || position === undefined || attempt === undefined) return undefined
  return {
    subscription: Number.parseInt(subscription, 36),
    position: Number.parseInt(position, 36),
    attempt: Number.parseInt(attempt, 36),
  }
}
