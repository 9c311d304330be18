import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { replaceFile } from '../../drivers/replaced-file.ts'
import type { Authority, TokenRequest } from '../../kit/auth/authority.ts'
import { SERVICE_SCOPES } from '../../kit/auth/scopes.ts'

/** Whom tokens are made for, and where they lie. */
export interface ServiceTokensOptions {
  readonly authority: Pick<Authority, 'mode' | 'mint'>
  /** Where their files lie; made when it is missing. */
  readonly folder: string
  /** Registered names of all that a service may call by what its file holds. */
  readonly audiences: (service: string) => readonly string[]
  /** Told when one can't be renewed. */
  readonly onFault: (service: string, fault: unknown) => void
}

/** The tokens of users' services in token mode: a file each, renewed before its token ends. */
export interface ServiceTokens {
  /** What a process of a service is told to find its token by; nothing in local mode. */
  variablesOf(service: string): Promise<Readonly<Record<string, string>>>
  /** From now on renews those of these services alone; the files of others are taken away. */
  keepOnly(services: readonly string[]): void
  /** Takes all files away. */
  close(): void
}

/** Seconds that a token lives, and after which it is renewed: who read it a moment before has as long again. */
const LIFE_S = 3_600
const RENEW_AFTER_S = LIFE_S / 2
/** The one in the environment can't be renewed: as long as any token may live. */
const LONGEST_S = 86_400

/** A file that is kept. */
interface KeptFile {
  /** Whom its token is for. */
  readonly audiences: string
  /** Resolves when it is there. */
  readonly written: Promise<void>
  readonly timer: NodeJS.Timeout
}

/** Makes tokens for services. */
export function createServiceTokens({ authority, folder, audiences, onFault }: ServiceTokensOptions): ServiceTokens {
  const files = new Map<string, KeptFile>()

  const mint = (service: string, what: Pick<TokenRequest, 'audience' | 'scopes' | 'ttlSeconds'>) =>
    authority.mint({ subject: service, service: true, ...what })
  const pathOf = (service: string) => join(folder, `${service}.token`)

  async function write(service: string): Promise<void> {
    makePrivateFolder(folder)
    const path = pathOf(service)
    const audience = [...new Set(audiences(service))]
    await replaceFile(path, await mint(service, { audience, scopes: SERVICE_SCOPES, ttlSeconds: LIFE_S }))
    // it was taken away meanwhile
    if (!files.has(service)) rmSync(path, { force: true })
  }

  function forget(service: string): void {
    clearInterval(files.get(service)?.timer)
    files.delete(service)
    rmSync(pathOf(service), { force: true })
  }

  const keyOf = (service: string) => [...audiences(service)].sort().join()

  /** The file of a service, for whom it may call now. */
  function kept(service: string): KeptFile {
    const file = files.get(service)
    return file?.audiences === keyOf(service) ? file : keep(service)
  }

  function keep(service: string): KeptFile {
    const renew = () => void write(service).catch((fault: unknown) => onFault(service, fault))
    // what is there stays until the new one is: other replicas read it
    clearInterval(files.get(service)?.timer)
    const file = {
      audiences: keyOf(service),
      written: write(service),
      timer: setInterval(renew, RENEW_AFTER_S * 1_000).unref(),
    }
    files.set(service, file)
    // whoever asks next tries again
    file.written.catch(() => files.get(service) === file && forget(service))
    return file
  }

  function keepOnly(services: readonly string[]): void {
    for (const service of files.keys()) if (!services.includes(service)) forget(service)
  }

  return {
    async variablesOf(service) {
      if (authority.mode !== 'token') return {}
      await kept(service).written
      // all that the service starts inherits this one: it is good for its spans and entries alone
      const spans = await mint(service, { audience: 'log-server', scopes: ['logs:write'], ttlSeconds: LONGEST_S })
      return {
        MSVC_TOKEN_FILE: pathOf(service),
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${spans}`,
      }
    },
    keepOnly,
    close: () => keepOnly([]),
  }
}
