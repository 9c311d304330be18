import { isSecretName } from './secret-name.ts'
import { isSuspicious } from './suspicious.ts'

/** Stands where a secret stood. */
export const HIDDEN = '[hidden]'

/** What shows by itself that it is one, by who gave it out. */
const KNOWN_SHAPES = [
  String.raw`(?<![\w-])eyJ[\w-]+\.(?:[\w-]+(?:\.[\w-]*){1,3}|(?:\.[\w-]+){3})`, // JWT, JWE: RFC 7519, RFC 7516 §7.1, without an encrypted key too
  String.raw`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`, // AWS
  String.raw`\bAIza[\w-]{35}`, // Google
  String.raw`\bya29\.[\w-]{10,}`,
  String.raw`\bgh[pousr]_[A-Za-z0-9]{20,}`, // GitHub
  String.raw`\bgithub_pat_\w{20,}`,
  String.raw`\bgl(?:pat|dt|rt|cbt|ptt|soat|ft)-[\w-]{20,}`, // GitLab
  String.raw`\b(?:xox[a-z]|xapp)-[\w-]{8,}`, // Slack
  String.raw`\bGOCSPX-[\w-]{20,}`, // Google's OAuth clients
  String.raw`\bdo[opr]_v1_[0-9a-f]{32,}`, // DigitalOcean
  String.raw`\bLTAI[A-Za-z0-9]{12,}`, // Alibaba
  String.raw`\bAKID[A-Za-z0-9]{13,}`, // Tencent
  String.raw`\bhv[bsr]\.[\w-]{20,}`, // HashiCorp Vault
  String.raw`\bhf_[A-Za-z0-9]{30,}`, // Hugging Face
  String.raw`\bdckr_(?:pat|oat)_[\w-]{20,}`, // Docker
  String.raw`\bshp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}`, // Shopify
  String.raw`\bpypi-AgE[\w-]{20,}`,
  String.raw`\bAGE-SECRET-KEY-1[A-Z0-9]{50,}`,
  String.raw`\b[sr]k_(?:live|test)_\w{8,}`, // Stripe
  String.raw`\bwhsec_\w{8,}`,
  String.raw`\bsk-[\w-]{32,}`, // OpenAI, Anthropic
  String.raw`\bnpm_[A-Za-z0-9]{36}`,
  String.raw`\bSG\.[\w-]{16,}\.[\w-]{16,}`, // SendGrid
  String.raw`-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?`,
]
const SHAPE = new RegExp(KNOWN_SHAPES.join('|'), 'g')

/** What makes the address of a webhook, or of a bot, one that only its owner knows. */
const WEBHOOK =
  /\b(hooks\.slack\.com\/(?:services|workflows|triggers)\/|(?:discord|discordapp)\.com\/api\/webhooks\/|webhook\.office\.com\/webhookb2\/|api\.telegram\.org\/(?:file\/)?bot)(?:[\w/@-]|:(?=\w))+/g

/**
 * `://user:password@`: RFC 3986 §3.2.1; a password may hold what it shouldn't, where no port can stand. What stands alone may be a token, but for PostgreSQL
 * and Redis, where it is a name.
 */
const USERINFO =
  /(:\/\/)(?!(?<=\b(?:postgres(?:ql)?|rediss?(?:\+[a-z]{1,8})?):\/\/)[\w.~-]{1,64}@[^\s/?#"'<>\\@]*(?:[\s/?#"'<>\\]|$))(?:[^\s/?#"'<>\\]*|[^\s/?#"'<>\\:@[]{1,128}:(?!\d{1,5}[/?#])[^\s"'<>\\@]{1,128})@/g
/** `IDENTIFIED BY 'hunter2'`, `PASSWORD 'hunter2'`, `PASSWORD('hunter2')`: how SQL says it. */
const SQL =
  /\b((?:password(?:\s{1,8}|\s{0,8}\(\s{0,8})|identified\s[^;'"]{0,128}?\bby\s{1,8}(?:password\s{1,8})?)(["']))(?:(?!\2)[^\\]|\2\2|\\.)*(?=\2)/gis
/** `Authorization: Basic dXNlcjpwYXNz`, and any other scheme and spelling. */
const AUTHORIZATION =
  /\b(authorization\\{0,4}["']?[ \t]?[=:][ \t]?\\{0,4}["']?(?:(?:basic|bearer|digest|negotiate|token|apikey)[ \t])?)[^\s"',;\\]+/gi
/** The parameters of a Digest answer (RFC 7616 §3.4): whoever has them can guess the password at leisure. */
const DIGEST =
  /\b(digest[ \t]{1,8})(?:(?:username|realm|nonce|uri|response|algorithm|cnonce|opaque|qop|nc)=(?:\\{0,4}"[^"\\\r\n]*\\{0,4}"|[^\s,"'\\]+)(?:[ \t]{0,8},[ \t]{0,8})?)+/gi
/** From a flag to what it takes: spaces, or the quotes and the comma of a list of words, `["-p", "hunter2"]`. */
const BEHIND = String.raw`(?:[ \t]{0,8}|\\{0,4}["'][ \t]{0,8},[ \t]{0,8}\\{0,4}["'])`
/** Up to a space or a quote, escaped or not. */
const WORD = String.raw`(?:[^\s"'\\]|\\(?!\\{0,3}["']))+`
/** `curl -u ann:hunter2`; a user and a group by number, as `docker -u` takes them, are none. What is hidden already stays, with what follows it. */
const LOGIN = new RegExp(
  String.raw`(?<![\w-])(-u${BEHIND}|--(?:proxy-)?user(?:=|[ \t]${BEHIND}|${BEHIND}))(["']?(?!\d+:\d+\b)[^\s:"']{1,128}:)(?!\/\/|\[hidden\][&,;}\\])${WORD}`,
  'g',
)
/** `mysql -phunter2` and the like of its family, `sshpass -p hunter2`, `docker login -p hunter2`, `redis-cli -a hunter2`. */
const COMMAND = new RegExp(
  String.raw`\b((?:mysql|mariadb)[^\r\n;|]{0,256}?[ "']-p|(?:sshpass|docker(?: |${BEHIND})login)[^\r\n;|]{0,256}?[ "']-p${BEHIND}|redis-cli[^\r\n;|]{0,256}?[ "']-a${BEHIND})${WORD}`,
  'g',
)
/** `ann:hunter2@tcp(db:3306)/shop`, as Go's drivers write it, and `jdbc:oracle:thin:ann/hunter2@…`. */
const DSN =
  /((?<![\w:/.%-])[\w.-]{1,64}:)[^\s@"'()/]{1,128}(?=@(?:tcp6?|unix)\()|(\bjdbc:oracle:\w{1,8}:[\w.-]{1,64}\/)[^\s@"']{1,128}(?=@)/g
/** `login ann password hunter2`: .netrc. */
const NETRC = /\b(login[ \t]{1,8}\S{1,128}[ \t]{1,8}password[ \t]{1,8})\S+/g
/** `<add key="password" value="hunter2"/>`, `<input name="password" value="hunter2">`. */
const ATTRIBUTES =
  /\b((?:name|key|id)=(["'])([\w.-]{1,64})\2[^<>]{0,256}?\b(?:value|content)=(["']))(?:(?!\4)[^<>])*(?=\4)/gi
const BEARER = /\b(bearer[ \t]{1,8})(?!tokens?\b|auth|scheme\b|realm\b)[\w.~+/=-]+/gi
const BASIC = /\b(basic[ \t]{1,8})([\w+/-]{4,}={0,2})/gi
/** All cookies of a header, whatever stands before the first of them. */
const COOKIE = /\b((?:set-)?cookie2?[ \t]?:[ \t]?)(?=[^\r\n"'\\=]{0,512}=)[^\r\n"'\\]+/gi
/** `--password hunter2`. */
const FLAG = /(?<![\w.-])(--[A-Za-z][\w-]{0,63})([ \t]{1,8})(?!-)\S+/g
/** `<password>hunter2</password>`. */
const ELEMENT =
  /(<(?:\w{1,32}:)?([A-Za-z][\w.-]{0,63})(?:\s[^<>]{0,256})?>)(?:<!\[CDATA\[[\s\S]{0,512}?\]\]>|[^<]+)(?=<\/)/g
/** The name and the sign of `name=value`, `"name": "value"`, `\"name\":\"value\"`, `name: 'value'`; the name may have a word before it (`api key: …`). */
const NAMED =
  /(?:(?<![\w.-])|(?<=%[\dA-F]{2}))(-{0,2}(?:(?:api|secret|private|access|signing|auth|client) )?[A-Za-z_][\w.-]*)((?:\[\d{0,4}\]|\]|%5B%5D|%5D|%22)?\\{0,15}["']?[ \t\u00a0]{0,8}(?:=>|:=|[=:]|%(?:25)?3[AD](?:%22)?)[ \t\u00a0]{0,8})/gi
/** A value with spaces, or in braces, as a connection string's field: up to the semicolon (ODBC: https://learn.microsoft.com/sql/odbc). */
const FIELD = /\{[^}\r\n]{0,128}\}(?=;|$)|[^\s;="'{}&,\\](?:[^;="'{}&\\\r\n]*[^\s;="'{}&\\])?(?=[ \t]*;)/y
/** What is assigned, without its closing quote; a list or an object isn't, see PIECE. */
const VALUE =
  /(\\{1,15}["'])(?:(?!(?<!\\)\1).)*|(")(?:[^"\\]|\\.)*|(')(?:[^'\\]|\\.)*|(?:\[hidden\]|[^\s"'&,;}\\{[])[^\s"'&,;}\\]*/sy

/** `|` or `>` and what is indented below it, between empty lines too: a block of YAML. */
const BLOCK = /[|>][-+\d]{0,2}[ \t]{0,8}(?:(?:\r?\n){1,16}[ \t]+[^\r\n]*)+/y

/** What a list or an object is read by: texts in it, whose brackets don't count, and brackets. */
const PIECE = /(\\{1,15}["'])(?:(?!(?<!\\)\1).)*\1|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[[\]{}]/gs

/** What goes on without a break behind a value: part of it. */
const ATTACHED = /[^\s"'&,;}\\]*/y

/** Names too short to tell anything but in a URL's query. */
const IN_QUERY = /^(?:sid|hmac|pass)$/i
/** A password beside a user's name, and else the opposite of a failure. */
const PASS = /^-{0,2}pass$/i
/** The sign of a user's name: `"user": …`, `userName=…`, `--user …`. */
const USER = /(?:user(?:[_-]?name)?|login|e-?mail)\\{0,15}["']?[ \t]{0,8}[=:]|--user(?:name)?[ \t]/i
/** What stands before the secret of an Authorization header, which has been looked at already. */
const SCHEME = /^(?:basic|bearer|digest|negotiate|token|apikey)$/i
/** How often a text is looked at in which something was hidden; hardly one needs more than two. */
const MOST_PASSES = 8
/** What a secret can't be. */
const NOTHING = /^(?:true|false|null|undefined|none|nil)$/i

/**
 * A text without the secrets that show themselves in it: authorization and cookie headers, JWTs and the keys of well-known clouds, private keys,
 * passwords in URLs, `password=…`, `"token":"…"`. Everything else stays to the letter. Takes time in proportion to the text, whatever it is: each
 * pattern begins with something that its repeated part can't match.
 * @example hideInText('GET http://bob:pw@db/ failed') // 'GET http://[hidden]@db/ failed'
 */
export function hideInText(text: string): string {
  if (!isSuspicious(text)) return text
  let shown = text
  // what is hidden may show what stands beside it
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const before = shown
    shown = hideOnce(before)
    if (shown === before) break
  }
  return shown
}

function hideOnce(text: string): string {
  const isSecret = secretNamesOf(text)
  const rest = text
    .replace(SHAPE, HIDDEN)
    .replace(WEBHOOK, `$1${HIDDEN}`)
    .replace(USERINFO, `$1${HIDDEN}@`)
    .replace(DIGEST, `$1${HIDDEN}`)
    .replace(AUTHORIZATION, `$1${HIDDEN}`)
    .replace(BEARER, `$1${HIDDEN}`)
    .replace(BASIC, hideBasic)
    .replace(COOKIE, `$1${HIDDEN}`)
    .replace(ELEMENT, (found, open: string, name: string) => (isSecret(name) ? `${open}${HIDDEN}` : found))
    .replace(FLAG, (found, name: string, space: string) => (isSecret(name) ? `${name}${space}${HIDDEN}` : found))
    .replace(LOGIN, `$1$2${HIDDEN}`)
    .replace(SQL, `$1${HIDDEN}`)
    .replace(COMMAND, `$1${HIDDEN}`)
    .replace(DSN, `$1$2${HIDDEN}`)
    .replace(NETRC, `$1${HIDDEN}`)
    .replace(ATTRIBUTES, (found, before: string, _, name: string) => (isSecret(name) ? `${before}${HIDDEN}` : found))
  return hideAssigned(rest, isSecret)
}

/**
 * Words of a command without the secrets that their neighbours show: `curl -u ann:hunter2`, `mysql -phunter2`.
 * @example hideInWords(['mysql', '-phunter2']) // ['mysql', '-p[hidden]']
 */
export function hideInWords(words: readonly string[]): readonly string[] {
  // so that each word stays one
  const line = words.map((word) => word.replaceAll(/\s/g, '_')).join(' ')
  if (!isSuspicious(line)) return words
  const shown = line.replace(LOGIN, `$1$2${HIDDEN}`).replace(COMMAND, `$1${HIDDEN}`)
  if (shown === line) return words
  const parts = shown.split(' ')
  return words.map((word, index) => (parts[index]?.includes(HIDDEN) ? parts[index] : word))
}

/** Which names are secrets in a text. */
function secretNamesOf(text: string): (name: string) => boolean {
  let hasUser: boolean | undefined
  return function isSecret(name) {
    if (!PASS.test(name)) return isSecretName(name)
    hasUser ??= USER.test(text)
    return hasUser
  }
}

/** "Basic" is a word like any other, unless what follows is a name and a password in base64 (RFC 7617). */
function hideBasic(found: string, scheme: string, credentials: string): string {
  return Buffer.from(credentials, 'base64').includes(':') ? `${scheme}${HIDDEN}` : found
}

/** Goes from name to name, into the values of those that are no secrets: `url=http://host/?token=…`. */
function hideAssigned(text: string, isSecret: (name: string) => boolean): string {
  let shown = ''
  let done = 0
  NAMED.lastIndex = 0
  for (let named = NAMED.exec(text); named !== null; named = NAMED.exec(text)) {
    const [, name = '', sign = ''] = named
    if (!isSecret(name) && !(IN_QUERY.test(name) && /[?&]/.test(text.charAt(named.index - 1)))) continue
    const at = NAMED.lastIndex
    const [value, ...quotes] = (sign.trim() === '=' && fieldAt(text, named.index, at)) || valueAt(text, at)
    if (value === undefined) continue
    const quote = quotes.find((mark) => mark !== undefined) ?? ''
    if (!isGivenAway(name, sign, quote, value.slice(quote.length))) continue
    shown += `${text.slice(done, at)}${quote}${HIDDEN}`
    done = at + value.length
    NAMED.lastIndex = done
  }
  return shown + text.slice(done)
}

function valueAt(text: string, at: number): readonly (string | undefined)[] {
  BLOCK.lastIndex = at
  VALUE.lastIndex = at
  return (
    BLOCK.exec(text) ??
    VALUE.exec(text) ??
    (/[[{]/.test(text.charAt(at)) ? [text.slice(at, endOfBrackets(text, at))] : [])
  )
}

/** Where the list or the object at `at` ends, with what is attached; the text's end when it was cut. */
function endOfBrackets(text: string, at: number): number {
  let depth = 0
  PIECE.lastIndex = at
  for (let found = PIECE.exec(text); found !== null; found = PIECE.exec(text)) {
    const [piece] = found
    if (piece === '[' || piece === '{') depth++
    else if ((piece === ']' || piece === '}') && --depth === 0) {
      ATTACHED.lastIndex = PIECE.lastIndex
      ATTACHED.exec(text)
      return ATTACHED.lastIndex
    }
  }
  return text.length
}

/** The value of a connection string's field whose name stands at `from`; undefined when it is no such field. */
function fieldAt(text: string, from: number, at: number): readonly string[] | undefined {
  const before = text[from - 1] === ' ' ? text[from - 2] : text[from - 1]
  if (from > 0 && before !== ';' && before !== '"' && before !== "'") return undefined
  FIELD.lastIndex = at
  return FIELD.exec(text) ?? undefined
}

/** Whether what stands behind a secret's name is one: not nothing, and no word of a sentence. */
function isGivenAway(name: string, sign: string, quote: string, value: string): boolean {
  if (value === '' || NOTHING.test(value)) return false
  if (SCHEME.test(value) && /authorization$/i.test(name)) return false
  if (quote !== '') return true
  return !sign.includes(': ') || !isProse(name, value)
}

/** `token: expired` is a sentence and `token: 9f8a…` is not; `password: expired` may be either, and `X-Api-Key: abc` is a header. */
function isProse(name: string, value: string): boolean {
  return !/pass|pwd|pw$|-/i.test(name) && value.length < 20 && /^[A-Za-z]+[.!?)]?$/.test(value)
}
