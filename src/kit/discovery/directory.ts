/** One running replica of a service, as the registry knows it. */
export interface Instance {
  readonly id: string
  readonly service_name: string
  readonly host: string
  readonly port: number
  readonly url: string
  readonly tags: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Who is alive where, as seen from one process: fed by the registry's watch stream, by static addresses (REGISTRY_URL,
 * USER_SERVICE_URL …), and by the last known list while the registry is away. Reading it never waits and never does I/O.
 */
export interface Directory {
  /** Healthy instances of a service now, in a stable order; empty when none is known. */
  instances(service: string): readonly Instance[]
  /** Resolves with the instances as soon as there is at least one; rejects `UNREACHABLE` when `signal` fires first. */
  waitFor(service: string, signal: AbortSignal): Promise<readonly Instance[]>
  /** Resolves once it is known who is there: the registry has spoken, or has not in its time. */
  readonly settled: Promise<void>
  /** Calls back when a service's list changed; returns how to stop. */
  onChange(notify: (service: string) => void): () => void
  /** Leaves the registry's stream; those who still wait are told `UNREACHABLE`. */
  close(): Promise<void>
}
