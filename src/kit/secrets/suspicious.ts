/**
 * What every secret in a text shows: part of a name, or of a shape. Plain words in lower case, so that looking for all of them at once is cheap; a
 * text that holds one by chance costs a closer look, and one that holds none costs nothing else.
 */
const MARKS = [
  'pass|pw|secret|token|key|cred|auth|cookie|sig|sess|otp|cvv|cvc|code|hmac|jwt|jws|jwe|eyj|bearer|basic |digest',
  'connstr|connection|connect.sid|?sid|&sid|</|curl|mysql|mariadb|identified|hooks.|webhook|akia|asia',
  'aiza|ya29|gocspx|ltai|akid|hvb.|hvs.|hvr.|hf_|dckr_|doo_v|dop_v|dor_v|ghp_|gho_|ghu_|ghs_|ghr_|github_pat',
  'glpat-|gldt-|glrt-|glcbt-|glptt-|glsoat-|glft-|xox|xapp|shpat_|shpca_|shppa_|shpss_|pypi-|rk_|sk_|sk-|npm_|sg.|whsec_|-u|redis-cli|docker|@tcp|@unix|jdbc:oracle|api.telegram',
].flatMap((row) => row.split('|'))
/** Flags: two dashes alone part words, or draw a line. */
const FLAGS = Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => `--${letter}`)
const MARKED = new RegExp([...MARKS.map((mark) => RegExp.escape(mark)), '--[a-z]'].join('|'), 'i')

/** Characters of a window, whose hash is what is looked up: each moves the hash by four bits, so older ones fall out of its sixteen. */
const WINDOW = 4
const SPACE = 32
/** What a character can be there: seven bits, in lower case. */
const CHARACTERS = Array.from({ length: 128 }, (_, code) => code).filter((code) => (code & SPACE) !== 0)
/** The hash of nothing but spaces. */
const START = [SPACE, SPACE, SPACE, SPACE].reduce(pushed, 0)

/** Texts after which the walk pays. To make its table takes 5 ms before the engine is warm, which no process need spend while it starts. */
const FEW = 100
let looked = 0
let marks: Int32Array | undefined

/**
 * Whether a text may hold a secret; false is certain. Most texts are told by one walk over them: where no four characters hash like the beginning
 * of a mark, there is none.
 */
export function isSuspicious(text: string): boolean {
  if (hasUserInfo(text)) return true
  if (looked < FEW) {
    looked++
    return MARKED.test(text)
  }
  marks ??= marksByHash()
  let hash = START
  for (let at = 0; at < text.length; at++) {
    hash = pushed(hash, (text.charCodeAt(at) | SPACE) & 127)
    if (((marks[hash >>> 5] ?? 0) >>> (hash & 31)) & 1) return MARKED.test(text)
  }
  return false
}

/** Whether a URL in it may name its user: nearly all that are logged don't, and shouldn't cost a closer look. */
function hasUserInfo(text: string): boolean {
  const scheme = text.indexOf('://')
  return scheme !== -1 && text.includes('@', scheme)
}

/** A window's hash once one more character has moved in. */
function pushed(hash: number, character: number): number {
  return ((hash << 4) ^ character) & 0xffff
}

/** One bit for each hash that a window ending in a mark's first characters can have; whatever may stand before a shorter mark. */
function marksByHash(): Int32Array {
  const seen = new Int32Array(2 ** 11)
  const befores = hashesOfAny(WINDOW - Math.min(...MARKS.map(({ length }) => length)))
  for (const mark of [...MARKS, ...FLAGS]) {
    const beginning = mark.slice(0, WINDOW)
    for (const before of befores[WINDOW - beginning.length] ?? []) {
      const hash = Array.from(beginning, (character) => character.charCodeAt(0) | SPACE).reduce(pushed, before)
      seen[hash >>> 5] = (seen[hash >>> 5] ?? 0) | (1 << (hash & 31))
    }
  }
  return seen
}

/** The hashes that so many characters can have, whatever they are, for no character, one and so on. */
function hashesOfAny(most: number): readonly ReadonlySet<number>[] {
  const byCount = [new Set([0])]
  for (let count = 1; count <= most; count++) {
    const hashes = new Set<number>()
    for (const before of byCount[count - 1] ?? [])
      for (const character of CHARACTERS) hashes.add(pushed(before, character))
    byCount.push(hashes)
  }
  return byCount
}
