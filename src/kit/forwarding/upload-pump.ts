import type { UpstreamConnection } from '../upstream/connection.ts'
import type { RequestBody } from './request-body.ts'

/** What an upload reports: a part went out, all of it went out, or it turned out larger than allowed. */
export type UploadEvent = 'progress' | 'sent' | 'too-large'

/** Carries a streamed request body from the client to an upstream, at the pace of the slower one. */
export class UploadPump {
  readonly #body: Extract<RequestBody, { kind: 'stream' }>
  readonly #limit: number
  readonly #connection: UpstreamConnection
  readonly #report: (event: UploadEvent) => void
  #sent = 0
  #state: 'flowing' | 'blocked' | 'stopped' = 'flowing'

  /**
   * @param limit largest body in bytes
   * @param connection the request's head was sent on it already
   */
  constructor(
    body: Extract<RequestBody, { kind: 'stream' }>,
    limit: number,
    connection: UpstreamConnection,
    report: (event: UploadEvent) => void,
  ) {
    this.#body = body
    this.#limit = limit
    this.#connection = connection
    this.#report = report
  }

  /** True while the next step is the client's. */
  get waitsForClient(): boolean {
    return this.#state === 'flowing'
  }

  /** Sends what is at hand and lets the rest flow. */
  start(): void {
    const { source, first } = this.#body
    source.on('data', this.#onData).on('end', this.#onEnd)
    this.#onData(first)
    if (this.#state === 'flowing') source.resume()
  }

  /** The upstream takes more. */
  resume(): void {
    if (this.#state !== 'blocked') return
    this.#state = 'flowing'
    this.#body.source.resume()
  }

  /** Nobody wants the rest; it is read and thrown away by whoever reuses the client's connection. */
  stop(): void {
    this.#state = 'stopped'
    this.#body.source.off('data', this.#onData).off('end', this.#onEnd)
  }

  readonly #onData = (chunk: Buffer) => {
    if (this.#state === 'stopped') return
    this.#sent += chunk.length
    if (this.#sent > this.#limit) {
      this.stop()
      this.#report('too-large')
      return
    }
    const more = this.#body.length === undefined ? this.#connection.writeChunk(chunk) : this.#connection.write(chunk)
    if (!more && this.#state === 'flowing') {
      this.#state = 'blocked'
      this.#body.source.pause()
    }
    this.#report('progress')
  }

  readonly #onEnd = () => {
    this.stop()
    this.#connection.endRequest(this.#body.length === undefined)
    this.#report('sent')
  }
}
