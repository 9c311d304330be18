import { createServer } from 'node:http'

/** The yardstick: node:http giving a user as JSON and nothing else. */
const [port = '0', body = '{}'] = process.argv.slice(2)
createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}).listen(Number(port), '127.0.0.1')
