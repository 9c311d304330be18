import { rmSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import type { Authority, TokenRequest } from '../../kit/auth/authority.ts'
import { SERVICE_SCOPES } from '../../kit/auth/scopes.ts'

/** Whom tokens are made for, and where they lie. */
export interface ServiceTokensOptions {
  readonly authority: Pick<Authority, 'mode' | 'mint'>
  /** Where their files lie; made when it is missing. */
  readonly folder: string
  /** Registered names of all that a service may call. */
  readonly audiences: () => readonly string[]
  /** Told when one can't be renewed. */
  readonly onFault: (service: string, fault: unknown) => void
}

/** The tokens of users' services in token mode: a file each, renewed before its token ends. */
export interface ServiceTokens {
  /** What a process of a service is told to find its token by; nothing in local mode. */
  variablesOf(service: string): Promise<Readonly<Record<string, string>>>
  /** Takes the files away. */
  close(): void
}

/** Seconds that a token lives, and after which it is renewed: who read it a moment before has as long again. */
const LIFE_S = 3_600
const RENEW_AFTER_S = LIFE_S / 2
/** The one in the environment can't be renewed: as long as any token may live. */
const LONGEST_S = 86_400

/** Makes tokens for services. */
export function createServiceTokens({ authority, folder, audiences, onFault }: ServiceTokensOptions): ServiceTokens {
  const timers = new Map<string, NodeJS.Timeout>()

  const mint = (service: string, what: Pick<TokenRequest, 'audience' | 'scopes' | 'ttlSeconds'>) =>
    authority.mint({ subject: service, service: true, ...what })
  const pathOf = (service: string) => join(folder, `${service}.token`)

  async function write(service: string): Promise<void> {
    makePrivateFolder(folder)
    const path = pathOf(service)
    const audience = [...new Set(audiences())]
    const token = await mint(service, { audience, scopes: SERVICE_SCOPES, ttlSeconds: LIFE_S })
    await writeFile(`${path}.new`, token, { mode: 0o600 })
    // who reads it has the old one or the new one, never half of one
    await rename(`${path}.new`, path)
  }

  return {
    async variablesOf(service) {
      if (authority.mode !== 'token') return {}
      if (!timers.has(service)) {
        await write(service)
        const renew = () => void write(service).catch((fault: unknown) => onFault(service, fault))
        timers.set(service, setInterval(renew, RENEW_AFTER_S * 1_000).unref())
      }
      // all that the service starts inherits this one: it is good for its spans and entries alone
      const spans = await mint(service, { audience: 'log-server', scopes: ['logs:write'], ttlSeconds: LONGEST_S })
      return {
        MSVC_TOKEN_FILE: pathOf(service),
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${spans}`,
      }
    },
    close() {
      for (const [service, timer] of timers) {
        clearInterval(timer)
        rmSync(pathOf(service), { force: true })
      }
    },
  }
}
