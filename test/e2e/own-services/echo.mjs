// A service of somebody's: says who it is, and does what it is told for a test.
import { createServer } from 'node:http'

const { HOST, PORT, INSTANCE_ID, SERVICE_NAME } = process.env
const ends = new Set()
const server = createServer((incoming, outgoing) => {
  const { pathname, searchParams } = new URL(incoming.url, 'http://here')
  if (pathname === '/block') {
    outgoing.end('blocking')
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(searchParams.get('ms'))))
    return
  }
  if (pathname === '/env') {
    outgoing.end(JSON.stringify(process.env))
    return
  }
  if (pathname === '/stream') {
    // until who reads is gone, or has asked for the end
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
    const timer = setInterval(() => outgoing.write('data: on\n\n'), 50)
    const end = () => outgoing.end('data: over\n\n')
    ends.add(end)
    outgoing.once('close', () => ends.delete(end) && clearInterval(timer))
    return
  }
  if (pathname === '/end') for (const end of ends) end()
  if (pathname === '/say')
    process.stdout.write(
      `${JSON.stringify({ level: 'warn', msg: searchParams.get('text'), trace_id: searchParams.get('trace') })}\n`,
    )
  outgoing.setHeader('x-instance', INSTANCE_ID)
  outgoing.end(JSON.stringify({ service: SERVICE_NAME, instance: INSTANCE_ID, at: Date.now() }))
})
server.listen(Number(PORT), HOST)
process.once('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
