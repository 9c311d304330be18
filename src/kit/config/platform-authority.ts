import { join } from 'node:path'
import type { Clock } from '../../drivers/clock.ts'
import type { Authority } from '../auth/authority.ts'
import { readKeyFile } from '../auth/key-files.ts'
import { type AuthorityOptions, createAuthority } from '../auth/local-authority.ts'
import type { Settings } from './schema.ts'

/**
 * The authority of a platform by its settings: its mode and issuer, with the keys of `auth.key_file` or else of its data folder.
 * @param more what a role's service tokens are for. Default: nothing beyond every service's
 */
export function platformAuthority(
  { auth, data }: Pick<Settings, 'auth' | 'data'>,
  clock: Clock,
  more: Pick<AuthorityOptions, 'calls' | 'passesOn'> = {},
): Authority {
  const { mode, issuer, key_file: keyFile } = auth
  return createAuthority({
    ...{ mode, issuer, clock, folder: join(data, 'keys') },
    ...more,
    ...(keyFile !== undefined && { keyFile }),
  })
}

/** Looks into the key file of a platform that has one, before it starts: without its keys it would let nobody in. Throws AppError `CONFIG_INVALID` as `readKeyFile` does. */
export async function requireKeys({ auth }: Pick<Settings, 'auth'>): Promise<void> {
  if (auth.key_file !== undefined) await readKeyFile(auth.key_file)
}
