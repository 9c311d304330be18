import { join } from 'node:path'
import type { Clock } from '../../drivers/clock.ts'
import type { Authority } from '../auth/authority.ts'
import { loadKeyRing, readKeyFile } from '../auth/key-files.ts'
import { type AuthorityOptions, createAuthority } from '../auth/local-authority.ts'
import { createRemoteAuthority } from '../auth/remote-authority.ts'
import { TokenFile } from '../auth/token-file.ts'
import { AppError } from '../errors.ts'
import { askKeySet } from '../http/key-set-call.ts'
import type { Settings } from './schema.ts'

/**
 * The authority of a platform by its settings: its mode and issuer, with the keys of `auth.key_file` or else of its data folder; or, with `auth.jwks`, one
 * that only checks tokens and shows that of `auth.token_file`.
 * @param more what a role's service tokens are for. Default: nothing beyond every service's
 */
export function platformAuthority(
  { auth, data }: Pick<Settings, 'auth' | 'data'>,
  clock: Clock,
  more: Pick<AuthorityOptions, 'calls' | 'passesOn'> = {},
): Authority {
  const { mode, issuer, key_file: keyFile, jwks, token_file: tokenFile } = auth
  if (jwks !== undefined && tokenFile !== undefined) {
    const own = new TokenFile(tokenFile, clock)
    const ownToken = async () => (await own.token()).text
    return createRemoteAuthority({ issuer, clock, ownToken, askKeys: () => askKeySet(jwks) })
  }
  return createAuthority({
    ...{ mode, issuer, clock, folder: join(data, 'keys') },
    ...more,
    ...(keyFile !== undefined && { keyFile }),
  })
}

/**
 * Looks at what a platform, or a role of it, has to show and to sign with, before it starts: without its keys it would let nobody in. Whether the keys of
 * `auth.jwks` are there it can't say yet. Throws AppError `CONFIG_INVALID` as `readKeyFile` does, for a token file that holds no good token, and for
 * `auth.jwks` where tokens are made.
 * @param signer what makes tokens, for the message: `msvc up`. Undefined: nothing here does
 */
export async function requireKeys(
  { auth, data }: Pick<Settings, 'auth' | 'data'>,
  clock: Clock,
  signer: string | undefined,
): Promise<void> {
  const { mode, key_file: keyFile, jwks, token_file: tokenFile, issuer } = auth
  if (keyFile !== undefined) await readKeyFile(keyFile)
  else if (mode === 'token' && jwks === undefined) await loadKeyRing(join(data, 'keys'))
  if (jwks === undefined || tokenFile === undefined) return
  if (signer !== undefined) {
    throw new AppError(
      'CONFIG_INVALID',
      `auth.jwks: ${signer} makes tokens, which the keys there can't sign; give it auth.key_file (MSVC_KEY_FILE) instead`,
    )
  }
  const shown = await new TokenFile(tokenFile, clock).token()
  if (shown.issuer === issuer) return
  throw new AppError(
    'CONFIG_INVALID',
    `auth.token_file: the token in ${tokenFile} is of ${JSON.stringify(shown.issuer)}, and not of auth.issuer, ${JSON.stringify(issuer)}`,
  )
}
