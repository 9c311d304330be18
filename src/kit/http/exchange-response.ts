import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { atEndOfTurn } from './end-of-turn.ts'
import type { Exchange } from './exchange.ts'

type HeaderInput = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * The answer to a request, given its exchange's headers at the last moment, whoever writes it: a Hono route, the gateway's
 * raw stream, or an error. Merging them here costs a tenth of what setting them on a web Response does. It leaves at the end of the
 * turn, together with the others.
 */
export class ExchangeResponse extends ServerResponse<IncomingMessage> {
  exchange: Exchange | undefined

  override writeHead(status: number, message?: string | HeaderInput, headers?: HeaderInput): this {
    const given = typeof message === 'string' ? headers : message
    const own = this.exchange?.headers ?? {}
    const text = typeof message === 'string' ? message : undefined
    if (Array.isArray(given)) {
      for (const name in own) given.push(name, own[name] ?? '')
      return text === undefined ? super.writeHead(status, given) : super.writeHead(status, text, given)
    }
    const all = given === undefined ? { ...own } : Object.assign(given, own)
    return text === undefined ? super.writeHead(status, all) : super.writeHead(status, text, all)
  }

  override end(callback?: () => void): this
  override end(chunk: unknown, callback?: () => void): this
  override end(chunk: unknown, encoding: BufferEncoding, callback?: () => void): this
  override end(...args: unknown[]): this {
    atEndOfTurn(() => {
      if (!this.destroyed) Reflect.apply(super.end, this, args)
    })
    return this
  }
}
