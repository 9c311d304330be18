// Asks from within a network namespace: takes a request as a line of JSON, and answers with a line.
import { createInterface } from 'node:readline'

for await (const line of createInterface(process.stdin)) {
  const { id, url, ...init } = JSON.parse(line)
  const answering = fetch(url, { ...init, signal: AbortSignal.timeout(60_000) }).then(
    async (answer) => ({ id, status: answer.status, body: await answer.text() }),
    (fault) => ({ id, status: 0, body: String(fault.cause ?? fault) }),
  )
  answering.then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`))
}
