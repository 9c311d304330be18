import type { Authority } from '../../kit/auth/authority.ts'
import { AppError } from '../../kit/errors.ts'
import { nodeCall } from '../../kit/http/node-call.ts'
import { isRecord } from '../../kit/record.ts'

/** Where secrets are kept, and who asks for them. */
export interface SecretsOptions {
  /** The config server's address. */
  readonly url: string
  readonly service: string
  readonly environment: string
  readonly authority: Pick<Authority, 'serviceToken'>
}

const CONFIG_SERVER = 'config-server'
const ANSWER_MS = 5_000

/** Values of a service's secrets, by their names. Rejects with AppError `START_FAILED` that says which is missing, or can be no variable, and how to set it. */
export async function readSecrets(
  names: readonly string[],
  { url, service, environment, authority }: SecretsOptions,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  if (names.length === 0) return {}
  // in local mode too: what somebody said is a secret takes a real token
  const token = await authority.serviceToken(service, CONFIG_SERVER)
  const answer = await nodeCall(`${url}/config/${service}/${environment}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  }).catch((cause: unknown) => {
    throw new AppError('START_FAILED', `its secrets can't be read: ${CONFIG_SERVER} does not answer`, { cause })
  })
  const said = await answer.json()
  const values = isRecord(said) ? said : {}
  if (!answer.ok)
    throw new AppError('START_FAILED', `its secrets can't be read: ${CONFIG_SERVER} answered ${answer.status}`)
  const missing = names.filter((name) => values[name] === undefined)
  if (missing.length > 0) {
    const how = `msvc config set ${service} ${missing[0]} --file FILE --secret`
    throw new AppError(
      'START_FAILED',
      `there is no secret ${missing.join(', ')} for it in ${environment}; set it: ${how}`,
    )
  }
  const texts = names.map((name) => [name, textOf(values[name])] as const)
  const unfit = texts.find(([, text]) => text.includes('\0'))
  if (unfit) {
    const how = `msvc config set ${service} ${unfit[0]} --file FILE --secret`
    throw new AppError(
      'START_FAILED',
      `its secret ${unfit[0]} in ${environment} holds a NUL byte, which no variable can; set it without: ${how}`,
    )
  }
  return Object.fromEntries(texts)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
