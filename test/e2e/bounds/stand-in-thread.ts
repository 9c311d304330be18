import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { PIECES } from './stand-in.ts'

const AT_ONCE = 8_192
const piece = Buffer.from('1\r\nx\r\n'.repeat(AT_ONCE))

const server = createServer(async (request, answer) => {
  if (request.url !== '/pieces') {
    request.resume().once('end', () => answer.end('{}'))
    return
  }
  // past the answer's own framing, which would cost more than the gateway's reading of it
  const { socket } = request
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let sent = 0; sent < PIECES && socket.writable; sent += AT_ONCE) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
  }
  socket.write('0\r\n\r\n')
})
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))
