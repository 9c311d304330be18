import { AppError, messageOf } from '../errors.ts'
import { nodeCall } from './node-call.ts'

/** How long whoever has the keys may take, milliseconds. */
const ANSWER_MS = 3_000
/** Room for 64 keys of 4 096 bits with their certificates, bytes. */
const MAX_BYTES = 262_144

/**
 * Asks for a key set (RFC 7517 §5), as parsed JSON. Redirects aren't followed. Rejects with AppError `UPSTREAM_FAILED`, or `UNREACHABLE` where nobody
 * answers within 3 s: the URL and why.
 * @example const set = new KeySet({ ask: () => askKeySet('http://gateway:8000/.well-known/jwks.json'), clock })
 */
export async function askKeySet(url: string): Promise<unknown> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const answer = await nodeCall(url, { signal }).catch((cause: unknown) => {
    throw new AppError('UNREACHABLE', `${url}: ${messageOf(cause)}`, { cause })
  })
  if (!answer.ok) {
    answer.cancel()
    throw new AppError('UPSTREAM_FAILED', `${url} answered ${answer.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new AppError('UPSTREAM_FAILED', `${url} answered more than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    // Without the cause: it quotes the answer.
    throw new AppError('UPSTREAM_FAILED', `${url} answered something that is no JSON`)
  }
}
