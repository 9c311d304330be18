/**
 * Values from the config server for this service and environment (seed 9.7.7): cached 300 s, refreshed at once by the
 * server's watch stream; the last good values while the server is away. Reading never waits; before the first answer, and for
 * a value of another type, it gives the default.
 * @example
 * // msvc config set catalog page_size 20
 * const pageSize = () => config.getInteger('page_size', 50)
 */
export interface RemoteConfig {
  getString(key: string, otherwise: string): string
  getInteger(key: string, otherwise: number): number
  getNumber(key: string, otherwise: number): number
  getBoolean(key: string, otherwise: boolean): boolean
  /** A value of any shape, checked by the caller. */
  get(key: string): unknown
  onChange(notify: () => void): () => void
  close(): Promise<void>
}
