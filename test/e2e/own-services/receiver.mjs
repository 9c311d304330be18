// A service of somebody's: tells of what it is sent, and asks another one for it.
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

const { HOST, PORT, ECHO_URL } = process.env
const say = (entry) => process.stdout.write(`${JSON.stringify({ level: 30, time: Date.now(), ...entry })}\n`)

createServer(async (incoming, outgoing) => {
  const body = await text(incoming)
  const { traceparent = '', authorization } = incoming.headers
  const claims = authorization?.split('.')[1]
  const from = claims === undefined ? 'nobody' : JSON.parse(Buffer.from(claims, 'base64url')).sub
  if (incoming.method === 'POST') {
    const answer = await fetch(`${ECHO_URL}/for-${incoming.headers['ce-type']}`, { headers: { traceparent } })
    say({ msg: `received ${body}`, trace_id: traceparent.split('-')[1], from, echo: (await answer.json()).instance })
  }
  outgoing.end()
}).listen(Number(PORT), HOST)
