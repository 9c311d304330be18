/** Names remembered as secret or not: nearly all are literals in source code, so they are few. */
const MAX_KNOWN = 1_000
/** Characters of a name that are looked at: its end, where the noun stands. */
const MAX_LENGTH = 128

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '))

/** Nouns for what opens doors. */
const SECRETS = set(
  'password passwords passwd pwd pw secret secrets credential credentials creds token jwt jws jwe bearer ' +
    'authorization cookie cookies signature sig session sessionid sessid phpsessid jsessionid otp totp cvv cvc connstr',
)
/** Nouns that are one when a word before says of what. */
const QUALIFIED: Readonly<Record<string, ReadonlySet<string>>> = {
  key: set(
    'api private secret access signing encryption decryption master shared account auth ssh hmac aes rsa session subscription app ' +
      'tls ssl server client deploy license webhook admin vault',
  ),
  keys: set('api private secret access signing encryption ssh'),
  tokens: set('access refresh auth bearer api id session csrf xsrf'),
  pass: set(
    'db database user smtp imap mail mysql postgres pg redis mongo ftp ssh admin root auth login proxy http basic ldap amqp rabbitmq',
  ),
  auth: set('basic proxy http x'),
  phrase: set('pass'),
  word: set('pass'),
  code: set('pass authorization auth otp totp mfa recovery verification'),
  codes: set('recovery backup'),
  string: set('connection'),
  id: set('session sess'),
  sid: set('connect'),
  verifier: set('code'),
  confirmation: set('password passwd pwd'),
}
/** Words before it that make a token a place in a list or in a text. */
const CURSORS = set(
  'next page paging pagination continuation continue sync resume cursor skip eos bos pad unk mask stop cancellation',
)
/** Words at the end that say only in which shape it comes. */
const SHAPES = set(
  'value header text raw plain plaintext encoded base b hex hash hashed digest md sha bcrypt old new current v pem der',
)
/** What a name written in one piece ends with: `accesstoken`, `dbpassword`, `setcookie`, `accountkey`, `rootpw`. */
const IN_ONE_PIECE = new RegExp(
  `(?:password|passwd|passphrase|passcode|secret|credentials?|(?<!next|page|continuation|sync|resume)token|cookie|authorization|jwt|signature|${either(QUALIFIED.key)}key|${either(QUALIFIED.pass)}(?:pass|pwd?))$`,
)

function either(words: ReadonlySet<string> = new Set()): string {
  return `(?:${[...words].join('|')})`
}

/** Where a name in camel case, snake case, kebab case, with dots or digits is cut into words. */
const WORDS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g

const known = new Map<string, boolean>()

/**
 * Whether what has this name is a secret: a password, a token, a cookie, a private key, whatever opens a door. The name is cut into words, and the
 * last one says what the thing is: an `access_token` is a token, a `token_count` a count, and a `secretary` neither.
 * @example isSecretName('X-Api-Key') // true
 * @example isSecretName('password_reset_at') // false
 */
export function isSecretName(name: string): boolean {
  const remembered = known.get(name)
  if (remembered !== undefined) return remembered
  // npm's: user and password in base64
  const secret = name === '_auth' || isSecret(name.slice(-MAX_LENGTH).match(WORDS) ?? [])
  if (known.size < MAX_KNOWN && name.length <= 64) known.set(name, secret)
  return secret
}

function isSecret(parts: readonly string[]): boolean {
  const words = parts.map((part) => part.toLowerCase())
  while (words.length > 1 && isShape(words.at(-1) ?? '')) words.pop()
  const noun = words.at(-1) ?? ''
  const before = words.at(-2)
  if (noun === 'token' && before !== undefined && CURSORS.has(before)) return false
  if (SECRETS.has(noun) || IN_ONE_PIECE.test(noun)) return true
  return before !== undefined && Object.hasOwn(QUALIFIED, noun) && QUALIFIED[noun]?.has(before) === true
}

function isShape(word: string): boolean {
  return SHAPES.has(word) || /^\d/.test(word)
}
