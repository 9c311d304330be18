import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

/** What stands in place of a Redis that isn't here, such as an old one. `await using` ends it. */
export interface FakeRedis extends AsyncDisposable {
  readonly url: string
}

/**
 * Listens in place of a Redis.
 * @param answer to a command's words, in RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/), such as `+OK`; the last line end is added
 * @param port where. Default: a free one
 */
export async function startFakeRedis(answer: (words: readonly string[]) => string, port = 0): Promise<FakeRedis> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let said = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      said += text
      for (let command = readCommand(said); command; command = readCommand(said)) {
        said = said.slice(command.length)
        socket.write(`${answer(command.words)}\r\n`)
      }
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `redis://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** A text as a bulk string. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}`
}

/** The first command of what was said, an array of bulk strings; undefined while it is not whole. */
function readCommand(said: string): { readonly words: readonly string[]; readonly length: number } | undefined {
  const [head, count] = /^\*(\d+)\r\n/.exec(said) ?? []
  if (head === undefined) return undefined
  const words: string[] = []
  let at = head.length
  while (words.length < Number(count)) {
    const [length, bytes] = /^\$(\d+)\r\n/.exec(said.slice(at)) ?? []
    if (length === undefined) return undefined
    at += length.length + Number(bytes) + 2
    if (at > said.length) return undefined
    words.push(said.slice(at - 2 - Number(bytes), at - 2))
  }
  return { words, length: at }
}
