import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const PREFIX = 'v1.'

/** Encrypts values before they go to disk and decrypts them after. */
export interface Sealer {
  /** @param place where the value belongs: it can be opened there only, so moving a sealed value elsewhere reveals nothing */
  seal(text: string, place: string): string
  /** Throws when the value was sealed with another key or for another place, or was tampered with. */
  open(sealed: string, place: string): string
}

/**
 * Seals with AES-256-GCM (NIST SP 800-38D), a fresh random nonce each time.
 * @param key 32 bytes
 */
export function createSealer(key: Uint8Array): Sealer {
  return {
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place))
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return PREFIX + Buffer.concat(parts).toString('base64url')
    },
    open(sealed, place) {
      if (!sealed.startsWith(PREFIX)) throw new Error('not a sealed value')
      const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url')
      if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('a sealed value is cut short')
      const nonce = bytes.subarray(0, NONCE_BYTES)
      const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG_BYTES))
      return cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + cipher.final('utf8')
    },
  }
}
