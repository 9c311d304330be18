import type { Section, Settings } from '../config/schema.ts'

/** All that one replica of a role is told to start with. Travels as JSON to a process of its own. */
export interface Job {
  /** CLI word. */
  readonly role: string
  readonly settings: Settings
  readonly section: Section
  readonly registryUrl: string
  /** Nobody else may have its databases open. Default false. */
  readonly alone?: boolean
  /** Why the replica before it ended: the log is told, which the terminal alone would be otherwise. Default: it is the first. */
  readonly after?: string
  /** Its port is held for its process (held-port.ts). Default false. */
  readonly held?: boolean
  /** Descriptors of sockets that listen already, in place of its host and port: a service manager's. Default: none. */
  readonly handed?: readonly number[]
  /** Its name in the registry instead of the role's own. */
  readonly service?: string
}
