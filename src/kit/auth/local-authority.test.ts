import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Authority } from './authority.ts'
import { createAuthority } from './local-authority.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')
const SECONDS = NOW / 1000
const AUDIENCE = 'api-gateway'

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('local authority', () => {
  let folder: string
  let authority: Authority
  let wall = NOW
  let jwk: { kid: string; x: string; y: string; d: string; kty: 'EC'; crv: 'P-256' }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-authority-'))
    authority = createAuthority({
      mode: 'token',
      issuer: 'msvc',
      folder: join(folder, 'keys'),
      clock: { now: () => wall, monotonic: () => wall },
    })
    await authority.mint({ subject: 'first', audience: AUDIENCE, scopes: [] })
    jwk = JSON.parse(await readFile(join(folder, 'keys', 'signing.json'), 'utf8'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const goodHeader = () => ({ alg: 'ES256', kid: jwk.kid, typ: 'JWT' })
  const goodClaims = () => ({ iss: 'msvc', aud: AUDIENCE, sub: 'alice', exp: SECONDS + 600, iat: SECONDS })

  /** A token with our own key's valid signature over whatever stands in it. */
  function forge(header: object, claims: unknown): string {
    return signed(`${part(header)}.${part(claims)}`)
  }

  /** The same for text that stands in it to the letter. */
  const forgeText = (header: string, claims: string) => signed(`${encoded(header)}.${encoded(claims)}`)
  const encoded = (text: string) => Buffer.from(text).toString('base64url')

  function signed(input: string): string {
    const signature = sign('sha256', Buffer.from(input), { key: jwk, format: 'jwk', dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }

  it('verifies what it minted', async () => {
    const token = await authority.mint({
      subject: 'alice',
      audience: AUDIENCE,
      scopes: ['orders:write', 'users:write'],
    })
    const identity = await authority.verify(token, AUDIENCE)
    expect(identity).toEqual({ is: 'user', subject: 'alice', scopes: new Set(['orders:write', 'users:write']) })
  })

  it('keeps a verified token until it expires', async () => {
    const token = await authority.mint({ subject: 'alice', audience: AUDIENCE, scopes: [], ttlSeconds: 60 })
    expect(authority.recall(token, AUDIENCE)).toBeUndefined()
    const identity = await authority.verify(token, AUDIENCE)
    expect(authority.recall(token, AUDIENCE)).toBe(identity)
    expect(await authority.verify(token, AUDIENCE)).toBe(identity)
    expect(authority.recall(token, 'order-service')).toBeUndefined()
    wall = NOW + 91_000
    try {
      await expect(authority.verify(token, AUDIENCE)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    } finally {
      wall = NOW
    }
  })

  it.each(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/jwt', 'Application/at+JWT', undefined])(
    'takes the type %s',
    async (typ) => {
      expect(await authority.verify(forge({ ...goodHeader(), typ }, goodClaims()), AUDIENCE)).toBeDefined()
    },
  )

  it.each([
    { aud: ['broker', AUDIENCE] },
    { exp: SECONDS + 0.5 },
    { iat: SECONDS + 29 },
    { iat: undefined },
    {
      nested: [
        { sub: 'x', aud: 'y' },
        { sub: 'z', '\\"sub': 1 },
      ],
      text: '{"sub":1,"sub":2}',
    },
  ])('takes claims such as %j', async (claims) => {
    expect(await authority.verify(forge(goodHeader(), { ...goodClaims(), ...claims }), AUDIENCE)).toMatchObject({
      subject: 'alice',
    })
  })

  it('allows 30 s of skew', async () => {
    expect(await authority.verify(forge(goodHeader(), { ...goodClaims(), exp: SECONDS - 29 }), AUDIENCE)).toBeDefined()
    expect(await authority.verify(forge(goodHeader(), { ...goodClaims(), nbf: SECONDS + 29 }), AUDIENCE)).toBeDefined()
  })

  describe('renewal', () => {
    const service = { subject: 'shop', audience: ['broker', AUDIENCE], scopes: ['logs:write', 'x:y'], service: true }
    const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

    /** Lets time pass while something is done. */
    async function later<T>(seconds: number, act: () => Promise<T>): Promise<T> {
      wall = NOW + seconds * 1000
      try {
        return await act()
      } finally {
        wall = NOW
      }
    }

    it('gives the same again, for as long again', async () => {
      const token = await authority.mint({ ...service, ttlSeconds: 100 })
      const renewed = await later(99, () => authority.renew(token, AUDIENCE))
      expect(renewed).toMatchObject({ scopes: service.scopes, expiresIn: 100 })
      const { jti, ...claims } = claimsOf(renewed.token)
      const { jti: oldId, ...old } = claimsOf(token)
      expect(claims).toEqual({ ...old, iat: SECONDS + 99, exp: SECONDS + 199 })
      expect(jti).not.toBe(oldId)
      expect(await later(198, () => authority.verify(renewed.token, 'broker'))).toEqual({
        subject: 'shop',
        scopes: new Set(service.scopes),
        is: 'service',
      })
    })

    it('gives less when less is asked for', async () => {
      const token = await authority.mint(service)
      const less = { scopes: ['logs:write'], audiences: ['broker'] }
      const renewed = await authority.renew(token, AUDIENCE, less)
      expect(claimsOf(renewed.token)).toMatchObject({ scope: 'logs:write', aud: ['broker'] })
      await expect(authority.renew(renewed.token, AUDIENCE)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    })

    it.each([{ scopes: ['logs:write', 'config:write'] }, { scopes: ['logs'] }, { audiences: ['broker', 'registry'] }])(
      'gives no more than there was: %j',
      async (wish) => {
        const token = await authority.mint(service)
        const refusal = { code: 'INVALID_REQUEST', message: wish.scopes ? 'invalid_scope' : 'invalid_target' }
        await expect(authority.renew(token, AUDIENCE, wish)).rejects.toMatchObject(refusal)
      },
    )

    it('is for services, in their time, with a token that is good here', async () => {
      const refusal = (token: string, seconds = 0) =>
        later(seconds, () => authority.renew(token, AUDIENCE)).catch(({ code }) => code)
      expect(await refusal(await authority.mint({ ...service, service: false }))).toBe('FORBIDDEN')
      expect(await refusal(await authority.mint({ ...service, audience: 'broker' }))).toBe('UNAUTHENTICATED')
      const token = await authority.mint({ ...service, ttlSeconds: 100 })
      // a role would take it for 30 s more
      expect(await refusal(token, 100)).toBe('UNAUTHENTICATED')
      expect(await refusal(`${token}=`)).toBe('UNAUTHENTICATED')
      expect(await refusal('')).toBe('UNAUTHENTICATED')
    })

    it('gives no longer life than there was, whatever the token says of its age', async () => {
      const lives = async (claims: object) => {
        const token = forge(goodHeader(), { ...goodClaims(), service: true, ...claims })
        return (await authority.renew(token, AUDIENCE)).expiresIn
      }
      expect(await lives({ iat: undefined, exp: SECONDS + 60 })).toBe(60)
      expect(await lives({ iat: 0, exp: SECONDS + 60 })).toBe(86_400)
      expect(await lives({ iat: SECONDS + 20, exp: SECONDS + 10 })).toBe(10)
    })
  })

  it('tells who brings a token of another platform, or machine, where to make one', async () => {
    const token = forge({ ...goodHeader(), kid: 'elsewhere' }, goodClaims())
    await expect(authority.verify(token, AUDIENCE)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'The token was refused: it is signed by a key that is not known here',
      detail: expect.stringMatching(/; make it by msvc token on the platform's own data folder, or beside a copy of/),
    })
  })

  const attacks: Record<string, () => string> = {
    'alg none, no signature': () => `${part({ ...goodHeader(), alg: 'none' })}.${part(goodClaims())}.`,
    'alg None, our signature': () => forge({ ...goodHeader(), alg: 'None' }, goodClaims()),
    'HS256 with the public key as the secret': () => {
      const input = `${part({ ...goodHeader(), alg: 'HS256' })}.${part(goodClaims())}`
      const pem = createPublicKey({ key: { ...jwk }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
    },
    'an accepted algorithm that is not the key’s': () => forge({ ...goodHeader(), alg: 'RS256' }, goodClaims()),
    'another key under our kid': () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const input = `${part(goodHeader())}.${part(goodClaims())}`
      return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
    },
    'its own key in jwk': () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const header = { alg: 'ES256', typ: 'JWT', jwk: publicKey.export({ format: 'jwk' }) }
      const input = `${part(header)}.${part(goodClaims())}`
      return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
    },
    'an empty signature': () => `${part(goodHeader())}.${part(goodClaims())}.`,
    'a signature of zeros': () =>
      `${part(goodHeader())}.${part(goodClaims())}.${Buffer.alloc(64).toString('base64url')}`,
    'changed claims': () => {
      const [header, , signature] = forge(goodHeader(), goodClaims()).split('.')
      return `${header}.${part({ ...goodClaims(), sub: 'root' })}.${signature}`
    },
    expired: () => forge(goodHeader(), { ...goodClaims(), exp: SECONDS - 31 }),
    'not yet valid': () => forge(goodHeader(), { ...goodClaims(), nbf: SECONDS + 31 }),
    'another issuer': () => forge(goodHeader(), { ...goodClaims(), iss: 'https://evil.example' }),
    'another audience': () => forge(goodHeader(), { ...goodClaims(), aud: 'order-service' }),
    'no audience': () => forge(goodHeader(), { ...goodClaims(), aud: undefined }),
    'no issuer': () => forge(goodHeader(), { ...goodClaims(), iss: undefined }),
    'no expiry': () => forge(goodHeader(), { ...goodClaims(), exp: undefined }),
    'no subject': () => forge(goodHeader(), { ...goodClaims(), sub: undefined }),
    'an expiry in a century': () => forge(goodHeader(), { ...goodClaims(), exp: SECONDS + 3_153_600_000 }),
    'an expiry of 1e308': () => forge(goodHeader(), { ...goodClaims(), exp: 1e308 }),
    'an expiry in words': () => forge(goodHeader(), { ...goodClaims(), exp: '9999999999' }),
    'an empty subject': () => forge(goodHeader(), { ...goodClaims(), sub: '' }),
    'a subject that is an object': () => forge(goodHeader(), { ...goodClaims(), sub: { $ne: 1 } }),
    'claims that are an array': () => forge(goodHeader(), [goodClaims()]),
    'no kid': () => forge({ alg: 'ES256', typ: 'JWT' }, goodClaims()),
    'a huge kid': () => forge({ ...goodHeader(), kid: 'k'.repeat(100_000) }, goodClaims()),
    'a long kid': () => forge({ ...goodHeader(), kid: 'k'.repeat(1_000) }, goodClaims()),
    'a path as kid': () => forge({ ...goodHeader(), kid: '../../../../dev/null' }, goodClaims()),
    'kid __proto__': () => forge({ ...goodHeader(), kid: '__proto__' }, goodClaims()),
    'a kid that is an array': () => forge({ ...goodHeader(), kid: [jwk.kid] }, goodClaims()),
    'an unknown crit': () => forge({ ...goodHeader(), crit: ['x-mfa'], 'x-mfa': true }, goodClaims()),
    'a known crit': () => forge({ ...goodHeader(), crit: ['b64'], b64: true }, goodClaims()),
    'more than 4 KB': () => forge(goodHeader(), { ...goodClaims(), pad: 'x'.repeat(4096) }),
    'the type of a logout token': () => forge({ ...goodHeader(), typ: 'logout+jwt' }, goodClaims()),
    'the type of a DPoP proof': () => forge({ ...goodHeader(), typ: 'application/dpop+jwt' }, goodClaims()),
    'the type of a security event': () => forge({ ...goodHeader(), typ: 'secevent+jwt' }, goodClaims()),
    'a type with a parameter': () => forge({ ...goodHeader(), typ: 'JWT; profile=x' }, goodClaims()),
    'an empty type': () => forge({ ...goodHeader(), typ: '' }, goodClaims()),
    'a type that is an array': () => forge({ ...goodHeader(), typ: ['JWT'] }, goodClaims()),
    'a type of null': () => forge({ ...goodHeader(), typ: null }, goodClaims()),
    'the word of a nested token': () => forge({ ...goodHeader(), cty: 'JWT' }, goodClaims()),
    'a token in a token': () => signed(`${part({ ...goodHeader(), cty: 'JWT' })}.${encoded(forge(goodHeader(), {}))}`),
    'b64 false': () => forge({ ...goodHeader(), b64: false }, goodClaims()),
    'b64 false with crit': () => forge({ ...goodHeader(), b64: false, crit: ['b64'] }, goodClaims()),
    'compressed claims': () => forge({ ...goodHeader(), zip: 'DEF' }, goodClaims()),
    'a header behind a byte order mark': () =>
      signed(`${encoded(`\uFEFF${JSON.stringify(goodHeader())}`)}.${part(goodClaims())}`),
    'claims behind a byte order mark': () =>
      signed(`${part(goodHeader())}.${encoded(`\uFEFF${JSON.stringify(goodClaims())}`)}`),
    'a padded signature': () => `${forge(goodHeader(), goodClaims())}==`,
    'a padded header, signed so': () => {
      const header = encoded(JSON.stringify(goodHeader()).padEnd(100))
      return signed(`${header}==.${part(goodClaims())}`)
    },
    'padded claims, signed so': () => {
      const claims = encoded(JSON.stringify(goodClaims()).padEnd(100 + 3 * 64))
      return signed(`${part(goodHeader())}.${claims}==`)
    },
    'a signature in the other base64 alphabet': () => {
      const [header, claims] = forge(goodHeader(), goodClaims()).split('.')
      let signature = ''
      while (!/[-_]/.test(signature)) signature = forge(goodHeader(), goodClaims()).split('.')[2] ?? ''
      return `${header}.${claims}.${signature.replaceAll('-', '+').replaceAll('_', '/')}`
    },
    'a signature whose unused bits are set': () => {
      const token = forge(goodHeader(), goodClaims())
      const last = BASE64URL.indexOf(token.at(-1) ?? '')
      return token.slice(0, -1) + BASE64URL[last + 1]
    },
    'a space in the signature': () => forge(goodHeader(), goodClaims()).replace(/.{4}$/, ' $&'),
    'a line break at the end': () => `${forge(goodHeader(), goodClaims())}\n`,
    'a tab in the claims, signed so': () =>
      signed(`${part(goodHeader())}.${part(goodClaims()).replace(/^.{4}/, '$&\t')}`),
    'a character too many': () => `${forge(goodHeader(), goodClaims())}AAA`,
    'a fourth part that is empty': () => `${forge(goodHeader(), goodClaims())}.`,
    'a claim said twice': () =>
      forgeText(JSON.stringify(goodHeader()), `{"sub":"root",${JSON.stringify(goodClaims()).slice(1)}`),
    'a claim said twice, once in escapes': () =>
      forgeText(JSON.stringify(goodHeader()), `{"\\u0073ub":"root",${JSON.stringify(goodClaims()).slice(1)}`),
    'a header said twice': () =>
      forgeText(`{"alg":"none",${JSON.stringify(goodHeader()).slice(1)}`, JSON.stringify(goodClaims())),
    'issued in the future': () => forge(goodHeader(), { ...goodClaims(), iat: SECONDS + 31 }),
    'issued in words': () => forge(goodHeader(), { ...goodClaims(), iat: String(SECONDS) }),
    'a beginning in words': () => forge(goodHeader(), { ...goodClaims(), nbf: String(SECONDS) }),
    'an expiry of 1e999': () =>
      forgeText(JSON.stringify(goodHeader()), JSON.stringify(goodClaims()).replace(/"exp":\d+/, '"exp":1e999')),
    'a subject that is a number': () => forge(goodHeader(), { ...goodClaims(), sub: 1 }),
    'an id that is a number': () => forge(goodHeader(), { ...goodClaims(), jti: 1 }),
    'scopes that are an array': () => forge(goodHeader(), { ...goodClaims(), scope: ['admin'] }),
    'a service in words': () => forge(goodHeader(), { ...goodClaims(), service: 'true' }),
    'no audience among several': () => forge(goodHeader(), { ...goodClaims(), aud: ['order-service', 'broker'] }),
    'an empty list of audiences': () => forge(goodHeader(), { ...goodClaims(), aud: [] }),
    'a list of audiences with a number': () => forge(goodHeader(), { ...goodClaims(), aud: [AUDIENCE, 1] }),
    'an audience in a list in a list': () => forge(goodHeader(), { ...goodClaims(), aud: [[AUDIENCE]] }),
    'an issuer that is a list': () => forge(goodHeader(), { ...goodClaims(), iss: ['msvc'] }),
    'two parts': () => `${part(goodHeader())}.${part(goodClaims())}`,
    'an encrypted token': () => 'a.b.c.d.e',
    'an empty string': () => '',
    'a word': () => 'token',
  }

  it.each([
    ['', []],
    [' ', []],
    ['\t', []],
    ['\u00a0 \u0000', []],
    ['  a:b   c:d ', ['a:b', 'c:d']],
    ['a:b\tc:d "e" é', []],
    ['x'.repeat(129), []],
  ])('takes from the scope %j what are scopes', async (scope, scopes) => {
    const token = forge(goodHeader(), { ...goodClaims(), scope })
    expect((await authority.verify(token, AUDIENCE)).scopes).toEqual(new Set(scopes))
  })

  it.each(Object.keys(attacks))('refuses %s', async (name) => {
    const token = attacks[name]?.() ?? ''
    await expect(authority.verify(token, AUDIENCE)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
      headers: { 'www-authenticate': expect.stringContaining('invalid_token') },
    })
    expect(authority.recall(token, AUDIENCE)).toBeUndefined()
  })

  it('answers 401 to whatever text it is given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const text = Buffer.from(bytes).toString('latin1')
        await expect(authority.verify(text, AUDIENCE)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
      }),
      { numRuns: 50 },
    )
  })

  it('refuses a token with any character changed', async () => {
    const token = forge(goodHeader(), goodClaims())
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 3), fc.constantFrom('A', 'z', '.', '-'), async (at, other) => {
        fc.pre(token[at] !== other)
        const changed = token.slice(0, at) + other + token.slice(at + 1)
        await expect(authority.verify(changed, AUDIENCE)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
      }),
      { numRuns: 50 },
    )
  })
})
