import { nkeys } from '@nats-io/transport-node'

/** Who may use a NATS server by credentials files, as its operator says: one account with JetStream, and users made as tests need them. */
export interface NatsOperator {
  /** Lines of the configuration of a server that believes the operator. */
  readonly config: string
  /** What a credentials file of a new user holds. @param expiresAt seconds since 1970. Default: never */
  user(expiresAt?: number): string
}

/** Any number, as claims say it. */
const ANY = -1
const LIMITS = {
  subs: ANY,
  data: ANY,
  payload: ANY,
  imports: ANY,
  exports: ANY,
  wildcards: true,
  conn: ANY,
  leaf: ANY,
}
const JETSTREAM = { mem_storage: ANY, disk_storage: ANY, streams: ANY, consumer: ANY }
const HEADER = { typ: 'JWT', alg: 'ed25519-nkey' }

type Pair = ReturnType<typeof nkeys.createUser>

/** Makes an operator with keys of its own (JWTs as in https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt). */
export function natsOperator(): NatsOperator {
  const [operator, system, account] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()]
  const [systemId, accountId] = [system.getPublicKey(), account.getPublicKey()]
  const operatorJwt = signed(operator, operator, { type: 'operator', system_account: systemId })
  const systemJwt = signed(system, operator, { type: 'account', limits: LIMITS })
  const accountJwt = signed(account, operator, { type: 'account', limits: { ...LIMITS, ...JETSTREAM } })
  return {
    config: `operator: "${operatorJwt}"
system_account: "${systemId}"
resolver: MEMORY
resolver_preload: { ${systemId}: "${systemJwt}", ${accountId}: "${accountJwt}" }`,
    user(expiresAt) {
      const user = nkeys.createUser()
      const claims = { type: 'user', pub: {}, sub: {}, subs: ANY, data: ANY, payload: ANY }
      const jwt = signed(user, account, claims, expiresAt)
      const seed = Buffer.from(user.getSeed()).toString()
      return `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`
    },
  }
}

function signed(subject: Pair, issuer: Pair, claims: object, expiresAt?: number): string {
  const id = subject.getPublicKey()
  const claim = {
    jti: id,
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name: 'test',
    sub: id,
    ...(expiresAt !== undefined && { exp: expiresAt }),
    nats: { ...claims, version: 2 },
  }
  const text = `${encoded(HEADER)}.${encoded(claim)}`
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
