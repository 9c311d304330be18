/** Statuses of those who are busy, full, starting, or can't reach somebody themselves. */
const LATER: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504, 507])

/** Whether a status says "later" (RFC 9110 §15.6.4, RFC 6585 §4, RFC 4918 §11.5): what was asked for isn't to blame, and may be asked for again. */
export function saysLater(status: number): boolean {
  return LATER.has(status)
}
