/**
 * What every secret in a text shows: part of a name, or of a shape. Plain words in lower case, so that looking for all of them at once is cheap; a
 * text that holds one by chance costs a closer look, and one that holds none costs nothing else.
 */
const MARKS = [
  'pass|pw|secret|token|key|cred|auth|cookie|sig|sess|otp|cvv|cvc|code|hmac|jwt|jws|jwe|eyj|bearer|basic |digest',
  'connstr|connection|connect.sid|?sid|&sid|://|</|--|curl|mysql|mariadb|identified|hooks.|webhook|akia|asia',
  'aiza|ya29|gocspx|ltai|akid|hvb.|hvs.|hvr.|hf_|dckr_|doo_v|dop_v|dor_v|ghp_|gho_|ghu_|ghs_|ghr_|github_pat',
  'glpat-|gldt-|glrt-|glcbt-|glptt-|glsoat-|glft-|xox|xapp|shpat_|shpca_|shppa_|shpss_|pypi-|rk_|sk_|sk-|npm_|sg.|whsec_|-u',
].flatMap((row) => row.split('|'))
const MARKED = new RegExp(MARKS.map((mark) => RegExp.escape(mark)).join('|'), 'i')

/** Characters of a window, whose hash is what is looked up: each moves the hash by four bits, so older ones fall out of its sixteen. */
const WINDOW = 4
const SPACE = 32
const START = windowHash('')
const SEEN = marksByHash()

/**
 * Whether a text may hold a secret; false is certain. Most texts are told by one walk over them: where no four characters hash like the beginning
 * of a mark, there is none.
 */
export function isSuspicious(text: string): boolean {
  let hash = START
  for (let at = 0; at < text.length; at++) {
    hash = ((hash << 4) ^ ((text.charCodeAt(at) | SPACE) & 127)) & 0xffff
    if (((SEEN[hash >>> 5] ?? 0) >>> (hash & 31)) & 1) return MARKED.test(text)
  }
  return false
}

/** The same hash, of some characters after nothing but spaces. */
function windowHash(characters: string): number {
  let hash = 0
  for (const character of characters.padStart(WINDOW, ' '))
    hash = ((hash << 4) ^ (character.charCodeAt(0) | SPACE)) & 0xffff
  return hash
}

/** One bit for each hash that a window ending in a mark's first characters can have; whatever may stand before a shorter mark. */
function marksByHash(): Int32Array {
  const seen = new Int32Array(2 ** 11)
  for (const mark of MARKS) {
    for (const window of windowsOf(mark.slice(0, WINDOW))) {
      const hash = windowHash(window)
      seen[hash >>> 5] = (seen[hash >>> 5] ?? 0) | (1 << (hash & 31))
    }
  }
  return seen
}

function windowsOf(characters: string): readonly string[] {
  if (characters.length === WINDOW) return [characters]
  const before = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
  return before.flatMap((character) => windowsOf(character + characters))
}
