import type { Exchange } from './exchange.ts'

/** What a Hono handler of any role finds in its context. `c.env.exchange` is absent under `app.request()` in unit tests. */
export interface AppEnv {
  Bindings: { exchange?: Exchange }
}
