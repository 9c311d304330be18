import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { flood } from './flood.ts'
import { bytesInChunks, LAST_CHUNK } from './requests.ts'
import { PIECES } from './stand-in.ts'

const AT_ONCE = 8_192
const pieces = bytesInChunks(AT_ONCE)

const server = createServer(async (request, answer) => {
  const { url, socket } = request
  if (url !== '/pieces') {
    request.resume().once('end', () => answer.end('{}'))
    return
  }
  // past the answer's own framing, which would cost more than the gateway's reading of it
  socket.on('error', () => {}).write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  await flood(socket, pieces, PIECES / AT_ONCE)
  socket.write(LAST_CHUNK)
})
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))
