import type { Socket } from 'node:net'
import { AppError } from '../errors.ts'
import { addressGroup } from './address-group.ts'
import type { Member, Seat } from './connections.ts'
import type { ExchangeResponse } from './exchange-response.ts'
import type { IncomingRequest, PieceCounter } from './incoming-request.ts'
import { PacedReading, type Taker } from './paced-reading.ts'
import { answerProblem } from './problem.ts'
import { afterNextReads } from './stalls.ts'

/** A body may have one small piece more for so many bytes. */
const BYTES_A_PIECE = 16

/** What one connection may take. */
export interface ConnectionLimits {
  /** Requests under way; then it isn't read. */
  readonly requests_per_connection: number
  /** Pieces under 1 KB that a body may come in, besides one for each 16 bytes. */
  readonly body_pieces: number
}

/** Who answers a connection's requests. */
export interface ConnectionOwner {
  readonly limits: ConnectionLimits
  /** Begins to answer a request. `done` is called when it is over. @param fault to be said instead */
  serve(connection: Connection, incoming: IncomingRequest, outgoing: ExchangeResponse, fault?: AppError): void
  /** Whether one more request may wait for its turn. */
  hold(): boolean
  /** So many wait no more. */
  release(count: number): void
  /** Says a connection's last word, when no answer is under way. @param incoming undefined for bytes that never became a request */
  dismiss(connection: Connection, fault: AppError, incoming: IncomingRequest | undefined): void
}

interface Held {
  readonly incoming: IncomingRequest
  readonly outgoing: ExchangeResponse
  fault?: AppError
}

const connections = new WeakMap<Socket, Connection>()

/** The connection that a server's socket carries. */
export function connectionOf(socket: Socket): Connection | undefined {
  return connections.get(socket)
}

/**
 * One client's connection: serves so many requests at once, in the order they came, then isn't read until one of them is answered. What node's
 * parser had read by then waits for its turn.
 */
export class Connection implements Member, Taker, PieceCounter {
  readonly socket: Socket
  readonly group: string
  /** Undefined until it is admitted. */
  seat: Seat | undefined
  readonly #owner: ConnectionOwner
  readonly #reading: PacedReading
  readonly #underWay: ExchangeResponse[] = []
  readonly #held: Held[] = []
  #requests = 0
  /** How many bytes had come when the last answer was over. */
  #readAtRest = 0
  /** Set when nobody can say where the next request begins: nothing more is taken, and it closes when all is answered. */
  #isDoomed = false
  /** Requests that are taken once it is known whether their client is still there. */
  #late = 0
  #lastWord: { readonly fault: AppError; readonly incoming: IncomingRequest | undefined } | undefined

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket
    this.#owner = owner
    this.#reading = new PacedReading(socket, this)
    this.group = addressGroup(socket.remoteAddress ?? '')
    connections.set(socket, this)
  }

  /** How many requests it has carried. */
  get requests(): number {
    return this.#requests
  }

  get #isIdle(): boolean {
    return this.#underWay.length === 0
  }

  /** Whether all that it carried has been answered and sent, and nothing has come since: to close it then takes nothing from anybody. */
  get isAtRest(): boolean {
    const { bytesRead, writableLength } = this.socket
    return (
      this.#requests > 0 && this.#isIdle && this.#late === 0 && writableLength === 0 && bytesRead === this.#readAtRest
    )
  }

  get owesBody(): boolean {
    return this.#underWay[0]?.req.complete === false
  }

  get bodyBytes(): number {
    return this.#underWay.at(-1)?.req.bytesToCome ?? 0
  }

  get isFull(): boolean {
    if (this.#held.length > 0) return true
    // the last one's body is still to come, and may be what its answer waits for
    const isWhole = this.#underWay.at(-1)?.req.complete ?? true
    return isWhole && this.#underWay.length >= this.#owner.limits.requests_per_connection
  }

  /** Takes a request whose head came; `later`: unless its client turns out to have left meanwhile. Requests keep their order. */
  take(incoming: IncomingRequest, outgoing: ExchangeResponse, later = false): void {
    incoming.counter = this
    if (!later && this.#late === 0) {
      this.#take(incoming, outgoing)
      return
    }
    this.#late++
    afterNextReads(() => {
      this.#late--
      if (!this.socket.destroyed && !this.socket.readableEnded) this.#take(incoming, outgoing)
    })
  }

  #take(incoming: IncomingRequest, outgoing: ExchangeResponse): void {
    if (this.#isDoomed) return
    if (this.#held.length === 0 && this.#underWay.length < this.#owner.limits.requests_per_connection) {
      this.#begin(incoming, outgoing)
    } else if (this.#owner.hold()) {
      this.#held.push({ incoming, outgoing })
      this.#reading.stop()
    } else this.socket.destroy()
  }

  #begin(incoming: IncomingRequest, outgoing: ExchangeResponse, fault?: AppError): void {
    this.adopt(outgoing)
    this.#owner.serve(this, incoming, outgoing, fault)
  }

  /** An answer is over, or will never be. */
  done(outgoing: ExchangeResponse): void {
    this.#underWay.splice(this.#underWay.indexOf(outgoing), 1)
    const next = this.#held.shift()
    if (next) {
      this.#owner.release(1)
      this.#begin(next.incoming, next.outgoing, next.fault)
    } else if (this.#isIdle) this.#becomeIdle()
    this.#reading.proceed()
  }

  close(): void {
    this.socket.destroy()
  }

  /** Its socket is closed: nobody waits for an answer any more. */
  closed(): void {
    this.#owner.release(this.#held.length)
    this.#held.length = 0
    for (const outgoing of this.#underWay) outgoing.destroy()
  }

  /** Looks at nothing that follows, and closes when all that is under way is answered. */
  doom(): void {
    this.#isDoomed = true
    this.#reading.drop()
  }

  /**
   * What comes is not HTTP, or too much: the request that is just being read is answered with `fault`, unless it has its answer already. Where there
   * is none, that is said after all others' answers, never in the place of one. Then the connection closes.
   * @param incoming a request that node's server leaves to us
   */
  refuse(fault: AppError, incoming?: IncomingRequest): void {
    this.#onceTaken(() => this.#refuse(fault, incoming))
  }

  /** What comes behind the last request that there was to be is nobody's. */
  surplus(): void {
    this.#onceTaken(() => this.doom())
  }

  /** What ends a connection comes after the requests before it, also where these are taken a little later: node has given the first of them its socket. */
  #onceTaken(end: () => void): void {
    if (this.#late === 0) {
      end()
      return
    }
    this.#reading.drop()
    afterNextReads(end)
  }

  #refuse(fault: AppError, incoming: IncomingRequest | undefined): void {
    if (this.#isDoomed) {
      if (this.#isIdle) this.socket.destroy()
      return
    }
    this.doom()
    const held = this.#held.at(-1)
    const latest = this.#underWay.at(-1)
    if (held && !held.incoming.complete) held.fault = fault
    else if (!held && latest && !latest.req.complete) {
      if (latest.exchange && !latest.isAnswered) {
        answerProblem(latest.exchange, fault)
        latest.seal()
      }
    } else {
      this.#lastWord = { fault, incoming }
      if (this.#isIdle) this.#becomeIdle()
    }
  }

  /** The client took too long over a request, unless it couldn't help it: then it isn't held against it. */
  overdue(fault: AppError): void {
    if (!this.#reading.isStopped) this.refuse(fault)
  }

  /** Counts the small pieces that a body comes in; too many end the connection. @param pieces so far, with `bytes` */
  passed(count: number, pieces: number, bytes: number): void {
    if (pieces > this.#owner.limits.body_pieces + bytes / BYTES_A_PIECE) {
      const detail = `Send a large body in pieces of at least ${BYTES_A_PIECE} bytes`
      this.refuse(new AppError('BODY_TOO_LARGE', 'The body comes in too many pieces', { detail }))
    } else this.#reading.passed(count)
  }

  /** Gives an answer its place among those under way. */
  adopt(outgoing: ExchangeResponse): void {
    if (this.#isIdle) this.seat?.busy()
    this.#requests++
    this.#underWay.push(outgoing)
  }

  #becomeIdle(): void {
    this.seat?.idle()
    this.#readAtRest = this.socket.bytesRead
    if (!this.#isDoomed) return
    const said = this.#lastWord
    this.#lastWord = undefined
    if (said && this.socket.writable) this.#owner.dismiss(this, said.fault, said.incoming)
    else this.socket.destroySoon()
  }
}
