/**
 * Who a verified token speaks for: a person, or a service of the platform.
 * @example const mayWrite = ({ scopes }: Identity) => scopes.has('catalog:write')
 */
export interface Identity {
  readonly is: 'user' | 'service'
  /** The token's `sub`: a user's name, or a service's. */
  readonly subject: string
  /** What the subject may do, such as `orders:write`. */
  readonly scopes: ReadonlySet<string>
  /** Passes on what others ask, and says for whom with each request (X-Caller). Whose token says so is believed that. */
  readonly passesOn?: true
}
