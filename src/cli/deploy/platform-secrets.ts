import { makeKeyFile } from '../../kit/auth/key-files.ts'
import type { DeployFile, StorePart } from './deployment.ts'
import type { SecretText } from './kinds.ts'

/** Where secrets are, from the folder of a deployment, one a file. */
export const SECRETS = 'secrets'
/** Characters of a password: 150 bits. */
const PASSWORD = 26
/** Characters of the key of values: as many as 32 bytes are in base64. */
const CONFIG_KEY = 43

/** Of a secret: the file that it is in, from the folder of all. */
export function secretName({ path }: Pick<DeployFile, 'path'>): string {
  return path.slice(SECRETS.length + 1)
}

/** In which file the address of a store is, by the variable that says it: `database-url`. */
export function addressFile(variable: string): string {
  return variable.toLowerCase().replaceAll('_', '-')
}

/**
 * The secrets of a platform: the keys that it signs and seals with, and for each store the URL that roles are told, with what its own server reads where it is
 * deployed too.
 * @param mode of the files
 */
export async function platformSecrets(
  stores: readonly StorePart[],
  secret: SecretText,
  mode: number,
): Promise<readonly DeployFile[]> {
  const file = (name: string, text: string, random?: string): DeployFile => ({
    path: `${SECRETS}/${name}`,
    text,
    mode,
    isSecret: true,
    ...(random !== undefined && { random }),
  })
  const [signing, config] = [await makeKeyFile(), `${secret(CONFIG_KEY)}\n`]
  const ofStores = stores.flatMap(({ kind, variable, elsewhere }): readonly DeployFile[] => {
    const name = addressFile(variable)
    if (elsewhere !== undefined) return [file(name, `${elsewhere}\n`)]
    const password = secret(PASSWORD)
    if (kind === 'postgres')
      return [
        file(name, `postgres://msvc:${password}@postgres:5432/msvc\n`, password),
        file('postgres-password', password, password),
      ]
    if (kind === 'redis')
      return [
        file(name, `redis://:${password}@redis:6379\n`, password),
        file('redis.conf', redisConf(password), password),
      ]
    return [
      file(name, `nats://msvc:${password}@nats:4222\n`, password),
      file('nats.conf', natsConf(password), password),
    ]
  })
  return [file('signing-key', signing, signing), file('config-key', config, config), ...ofStores]
}

function redisConf(password: string): string {
  return `dir /data
appendonly yes
save ""
# what roles agree in is never thrown out to make room
maxmemory 192mb
maxmemory-policy noeviction
requirepass ${password}
# for the health check, which needs no password so
user health on nopass resetchannels -@all +ping
`
}

function natsConf(password: string): string {
  return `port: 4222
# for the health check
http: "127.0.0.1:8222"
jetstream { store_dir: "/data" }
authorization { user: msvc, password: "${password}" }
`
}
