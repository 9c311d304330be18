import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import * as z from 'zod'
import { readRegularFile } from '../../drivers/regular-file.ts'
import { AppError } from '../errors.ts'
import { createPrivateFile, readPrivateFile, secureFolder, unreadableKeyFile } from './private-files.ts'

/** Signature algorithms that are believed, whatever a token's header says (RFC 8725 §3.1). */
export const ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const
/** One of ALGORITHMS. */
export type Algorithm = (typeof ALGORITHMS)[number]

/** A key that tokens are checked with. */
export interface VerifyingKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly key: CryptoKey
}

/** All keys of one data folder. */
export interface KeyRing {
  /** Signs every token minted here. */
  readonly signing: VerifyingKey
  /** By exact `kid`: the signing key's public half, and those of the folder's other key files. */
  readonly verifying: ReadonlyMap<string, VerifyingKey>
}

/** Room for 64 private keys of 4 096 bits, bytes. */
const MAX_FILE_BYTES = 262_144
const SIGNING_FILE = 'signing.json'
/** What a key file holds, in words. */
const WANTED = `a JWK with kty, alg (${ALGORITHMS.join(', ')}) and kid`

/** A key of an algorithm that is believed, as a JWK (RFC 7517 §4) that says which. */
export const KeyFile = z.looseObject({
  kty: z.enum(['EC', 'RSA', 'OKP']),
  alg: z.enum(ALGORITHMS),
  kid: z.string().min(1).max(128),
})
export type KeyFile = z.infer<typeof KeyFile>

/**
 * Loads the keys of a folder, and makes the folder (0700) and an ES256 key pair (`signing.json`, 0600) when there is none.
 * Processes that start at the same moment agree on one pair. Any other `*.json` in the folder is a JWK (private or public) that signed earlier tokens and is still
 * believed: to change keys, rename `signing.json` to `2026-01.json`, restart, and remove that file a day later.
 * Throws AppError `CONFIG_INVALID` for a folder or file that others may read or write, and for one that holds no usable key.
 */
export async function loadKeyRing(folder: string): Promise<KeyRing> {
  await secureFolder(folder)
  const signingFile = (await readKey(folder, SIGNING_FILE)) ?? (await makeSigningKey(folder))
  const signing = await toSigningKey(signingFile, join(folder, SIGNING_FILE))
  const verifying = new Map<string, VerifyingKey>()
  for (const name of (await readdir(folder)).sort()) {
    if (!name.endsWith('.json') || name.startsWith('.')) continue
    const file = name === SIGNING_FILE ? signingFile : await readKey(folder, name)
    if (file) verifying.set(file.kid, await toVerifyingKey(file, join(folder, name)))
  }
  return { signing, verifying }
}

/** One key, or a set of them (RFC 7517 §5). */
const KeySetFile = z.union([
  KeyFile.transform((key) => [key]),
  z.looseObject({ keys: z.array(KeyFile).min(1) }).transform(({ keys }) => keys),
])

/**
 * Reads the keys of a platform from one file that it doesn't make, such as a mounted secret: a JWK, or a set of them, of which the first private one signs and
 * all are believed. To change keys, put a new one in front, and take the old one out a day later. Its rights are whoever mounts it to choose: a secret in a container
 * mostly belongs to root, and is a link.
 * Throws AppError `CONFIG_INVALID` for a file that can't be read, and for one that holds no usable keys.
 */
export async function readKeyFile(path: string): Promise<KeyRing> {
  return toKeyRing(keyFileText(path), path)
}

/** The keys that such a file's text holds. Throws as `readKeyFile` does. @param path the file, for messages */
export async function toKeyRing(text: string, path: string): Promise<KeyRing> {
  const files = keysOf(text, path)
  const signer = files.find((file) => 'd' in file)
  if (!signer)
    throw new AppError(
      'CONFIG_INVALID',
      `${path} holds no private key to sign with; put one in, which msvc keys new makes`,
    )
  const verifying = await Promise.all(files.map((file) => toVerifyingKey(file, path)))
  return {
    signing: await toSigningKey(signer, path),
    verifying: new Map(verifying.map((key) => [key.kid, key])),
  }
}

/** What such a file holds. Throws AppError `CONFIG_INVALID` where it can't be read. */
export function keyFileText(path: string): string {
  try {
    return readRegularFile(path, MAX_FILE_BYTES).toString('utf8')
  } catch (cause) {
    throw unreadableKeyFile(path, cause)
  }
}

function keysOf(text: string, path: string): readonly KeyFile[] {
  try {
    return KeySetFile.parse(JSON.parse(text))
  } catch {
    // Without the cause: a parser's message may quote the key.
    throw new AppError(
      'CONFIG_INVALID',
      `${path} is not ${WANTED}, or {"keys": […]} with several; msvc keys new makes one`,
    )
  }
}

/** The key in a file; undefined when there is no such file. */
async function readKey(folder: string, name: string): Promise<KeyFile | undefined> {
  const path = join(folder, name)
  const content = await readPrivateFile(path)
  if (!content) return undefined
  try {
    return KeyFile.parse(JSON.parse(content.toString('utf8')))
  } catch {
    // Without the cause: a parser's message may quote the key.
    throw new AppError('CONFIG_INVALID', `${path} is not ${WANTED}; move it away to have a new key made`)
  }
}

/** Makes an ES256 key pair, as the text of a key file. It is as good as the platform's seal: who has it signs tokens. */
export async function makeKeyFile(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  const made = { ...jwk, alg: 'ES256', use: 'sig', kid: await calculateJwkThumbprint(jwk) }
  return `${JSON.stringify(made, null, 2)}\n`
}

/** Makes a key pair, or takes the one that another process was quicker to make. */
async function makeSigningKey(folder: string): Promise<KeyFile> {
  const text = await makeKeyFile()
  const made = KeyFile.parse(JSON.parse(text))
  if (await createPrivateFile(join(folder, SIGNING_FILE), text)) return made
  return (await readKey(folder, SIGNING_FILE)) ?? made
}

async function toSigningKey(file: KeyFile, path: string): Promise<VerifyingKey> {
  const signing = await toKey(file, path)
  if (signing.key.type !== 'private')
    throw new AppError(
      'CONFIG_INVALID',
      `${path} holds no private key to sign with; put one in, which msvc keys new makes`,
    )
  return signing
}

/**
 * The public half of a key: checking needs no more. Throws AppError `CONFIG_INVALID` for one that can't be used.
 * @param path where it comes from, for the message
 */
export function toVerifyingKey(file: KeyFile, path: string): Promise<VerifyingKey> {
  const { d, p, q, dp, dq, qi, ...open } = file
  return toKey(open, path)
}

async function toKey(file: KeyFile, path: string): Promise<VerifyingKey> {
  const { kid, alg } = file
  try {
    const key = await importJWK(file, alg)
    if (key instanceof Uint8Array) throw new TypeError('a secret is no key pair')
    return { kid, algorithm: alg, key }
  } catch {
    // Without the cause: it may quote the key.
    throw new AppError('CONFIG_INVALID', `${path} holds no usable ${alg} key; move it away to have a new key made`)
  }
}
