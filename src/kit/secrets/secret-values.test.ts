import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hideInText } from './secret-text.ts'
import { hideSecrets } from './secret-values.ts'

describe('hideSecrets', () => {
  it('hides what opens doors, wherever it stands', () => {
    const settings = {
      store: 'postgres://ann:hunter2@db/x',
      nested: [{ api_key: 'abc', token: 'abc', password: '' }],
      telemetry: { tokens_per_second: 5, session: null, secret: true },
      headers: [
        { name: 'Authorization', value: 'hunter2' },
        { name: 'Host', value: 'a' },
      ],
      credentials: { user: 'ann' },
      otp: 123_456,
      'GET /?token=abc': 1,
    }
    expect(hideSecrets(settings)).toEqual({
      store: 'postgres://[hidden]@db/x',
      nested: [{ api_key: '[hidden]', token: '[hidden]', password: '' }],
      telemetry: { tokens_per_second: 5, session: null, secret: true },
      headers: [
        { name: 'Authorization', value: '[hidden]' },
        { name: 'Host', value: 'a' },
      ],
      credentials: '[hidden]',
      otp: '[hidden]',
      'GET /?token=[hidden]': 1,
    })
  })

  it.each([
    [{ raw: ['Cookie', 'sid=abc', 'X-Api-Key', 'zzz'] }, { raw: ['Cookie', '[hidden]', 'X-Api-Key', '[hidden]'] }],
    [
      ['Host', 'a', 'Authorization', 'hunter2'],
      ['Host', 'a', 'Authorization', '[hidden]'],
    ],
    [
      [
        ['cookie', 'sid=1'],
        ['host', 'a'],
      ],
      [
        ['cookie', '[hidden]'],
        ['host', 'a'],
      ],
    ],
    [[['otp', 123_456]], [['otp', '[hidden]']]],
    [
      ['run', '--password', 'hunter2', '-v'],
      ['run', '--password', '[hidden]', '-v'],
    ],
    [
      ['--password', '--force'],
      ['--password', '--force'],
    ],
    [
      ['mysql', '-uroot', '-px', 'my db'],
      ['mysql', '-uroot', '-p[hidden]', 'my db'],
    ],
    [
      ['curl', '-u', 'ann:hunter 2', '-v'],
      ['curl', '-u', 'ann:[hidden]', '-v'],
    ],
    [
      ['docker', 'login', '-p', 'x y', '-u', 'ann'],
      ['docker', 'login', '-p', '[hidden]', '-u', 'ann'],
    ],
    [
      ['redis-cli', '-a', 'x'],
      ['redis-cli', '-a', '[hidden]'],
    ],
    [
      ['docker', 'run', '-u', '1000:1000', '-p', '80:80'],
      ['docker', 'run', '-u', '1000:1000', '-p', '80:80'],
    ],
    [
      { name: 'password', val: 'x' },
      { name: 'password', val: '[hidden]' },
    ],
    [
      { Name: 'DB_PASSWORD', Value: 'x' },
      { Name: 'DB_PASSWORD', Value: '[hidden]' },
    ],
    [
      { key: 'authorization', value: { stringValue: 'x' } },
      { key: 'authorization', value: '[hidden]' },
    ],
    [{ auth: { user: 'a', pass: 'b' } }, { auth: { user: 'a', pass: '[hidden]' } }],
    [
      { pass: 'b', smtpUserName: 'a' },
      { pass: '[hidden]', smtpUserName: 'a' },
    ],
  ])('hides what stands beside a name: %j', (given, shown) => {
    expect(hideSecrets(given)).toEqual(shown)
  })

  it.each([
    [['username', 'password', 'email']],
    [['could not read the token', 'trying again']],
    [['name', 'token']],
    [{ name: 'token_count', value: 3 }],
    [{ pass: 3, fail: 2, users: 7 }],
  ])('leaves names among names: %j', (given) => {
    expect(hideSecrets(given)).toBe(given)
  })

  it.each([
    { password: ['a', 'b'] },
    { password: { v: 'x' } },
    { token: [{ v: ']' }, '}'], n: 1 },
    { user: 'ann', pass: 'x' },
    { credentials: {}, n: [1] },
    { user: 'ann', secret: 'x y', otp: 123_456 },
  ])('hides in the text of %j what it hides in the object', (value) => {
    const shown = JSON.stringify(hideSecrets(value)).replaceAll('"[hidden]"', '[hidden]')
    expect(hideInText(JSON.stringify(value)).replaceAll('"[hidden]"', '[hidden]')).toBe(shown)
  })

  it('gives back the very value when there is nothing to hide', () => {
    const value = { order: { id: 17 }, list: [1, 'two', { three: null }], token_count: 3 }
    expect(hideSecrets(value)).toBe(value)
  })

  it('takes __proto__ for a name like any other', () => {
    expect(JSON.stringify(hideSecrets(JSON.parse('{"__proto__":{"token":"t"}}')))).toBe(
      '{"__proto__":{"token":"[hidden]"}}',
    )
  })

  it('leaves no secret, and changes nothing the second time', () => {
    const property = fc.property(fc.jsonValue(), (value) => {
      const shown = hideSecrets({ value, deep: [{ value, Password: 'hunter2', note: 'pwd=hunter2' }] })
      expect(JSON.stringify(shown)).not.toContain('hunter2')
      expect(hideSecrets(shown)).toEqual(shown)
    })
    fc.assert(property)
  })
})
