import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSecretName } from './secret-name.ts'
import { hideInText } from './secret-text.ts'
import { isSuspicious } from './suspicious.ts'

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl'

describe('hideInText', () => {
  it.each([
    ['authorization: Bearer abc.def-1', 'authorization: Bearer [hidden]'],
    ['Authorization=Basic dXNlcjpwYXNz, more', 'Authorization=Basic [hidden], more'],
    ['Proxy-Authorization: Basic dXNlcjpwYXNz', 'Proxy-Authorization: Basic [hidden]'],
    ['sent BEARER abcdef to it', 'sent BEARER [hidden] to it'],
    ['tried Basic dXNlcjpwYXNz twice', 'tried Basic [hidden] twice'],
    [`got ${JWT}!`, 'got [hidden]!'],
    ['got eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.!', 'got [hidden]!'],
    [`jwt=${JWT}.a.b`, 'jwt=[hidden]'],
    ['postgres://user:p@ss@host:5432/db failed', 'postgres://[hidden]@host:5432/db failed'],
    ['postgres://ann@x:hunter2@host/db', 'postgres://[hidden]@host/db'],
    ['nats://hunter2@host and https://hunter2@github.com', 'nats://[hidden]@host and https://[hidden]@github.com'],
    ['GET /login?user=a&password=b%20c&x=1', 'GET /login?user=a&password=[hidden]&x=1'],
    ['GET https://api/x?api_key=abc&token=def', 'GET https://api/x?api_key=[hidden]&token=[hidden]'],
    [
      'https://a.blob.core.windows.net/c?sv=2022&sig=a%2Fb%3D&se=1',
      'https://a.blob.core.windows.net/c?sv=2022&sig=[hidden]&se=1',
    ],
    ['url=http://host/?access_token=abc', 'url=http://host/?access_token=[hidden]'],
    ['user[password]=hunter2', 'user[password]=[hidden]'],
    ['{"client_secret": "x y", "n": 1}', '{"client_secret": "[hidden]", "n": 1}'],
    [String.raw`{"password":"a\"b","n":1}`, '{"password":"[hidden]","n":1}'],
    [String.raw`body: {\"password\":\"hunter2\",\"n\":1}`, String.raw`body: {\"password\":\"[hidden]\",\"n\":1}`],
    ["{ password: 'hunter2', n: 1 }", "{ password: '[hidden]', n: 1 }"],
    ['{"otp":123456}', '{"otp":[hidden]}'],
    ['api_key=1234;', 'api_key=[hidden];'],
    ['API key: sesame1', 'API key: [hidden]'],
    ['x-api-key: abc123', 'x-api-key: [hidden]'],
    ['login failed, password: hunter, user: ann', 'login failed, password: [hidden], user: ann'],
    ['passwd => hunter2', 'passwd => [hidden]'],
    ['export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG', 'export AWS_SECRET_ACCESS_KEY=[hidden]'],
    ['DefaultEndpointsProtocol=https;AccountKey=abc+/d==;x', 'DefaultEndpointsProtocol=https;AccountKey=[hidden];x'],
    ['Server=db;User Id=sa;Password=hunter2;', 'Server=db;User Id=sa;Password=[hidden];'],
    ['Cookie: sid=abc; theme=dark\nHost: a', 'Cookie: [hidden]\nHost: a'],
    ['Set-Cookie: sid=abc; Path=/; HttpOnly', 'Set-Cookie: [hidden]'],
    ['Cookie: eyJhbGciOiJIUzI1NiJ9.e30.abc; sid=abc', 'Cookie: [hidden]'],
    ['Cookie:token:x,=', 'Cookie:[hidden]'],
    ['password=nonce= ;', 'password=[hidden] ;'],
    ['Pwd=a b c ;Uid=x', 'Pwd=[hidden] ;Uid=x'],
    ['mysql --user ann --password hunter2 db', 'mysql --user ann --password [hidden] db'],
    ['run --token=abc -v', 'run --token=[hidden] -v'],
    ['<user>ann</user><password>hunter2</password>', '<user>ann</user><password>[hidden]</password>'],
    ['key AKIAIOSFODNN7EXAMPLE used', 'key [hidden] used'],
    ['temporary ASIAIOSFODNN7EXAMPLE', 'temporary [hidden]'],
    ['ghp_0123456789abcdefghijABCDEFGHIJ012345', '[hidden]'],
    ['github_pat_11AAAAAAA0123456789012_abcdef', '[hidden]'],
    ['xoxb-123456789012-abcdefghijkl', '[hidden]'],
    // in two pieces, or those who look for keys in repositories find these
    [`sk_${'live'}_0123456789abcdefghijklmn`, '[hidden]'],
    [`AIza${'S'.repeat(35)}`, '[hidden]'],
    [`client GOCSPX-${'a1B2'.repeat(7)} of`, 'client [hidden] of'],
    [`dop_v1_${'0a'.repeat(32)}`, '[hidden]'],
    [`id LTAI5t${'aB3'.repeat(6)}`, 'id [hidden]'],
    [`id AKID${'aB3d'.repeat(8)}`, 'id [hidden]'],
    [`hvs.${'CAES-'.repeat(5)}`, '[hidden]'],
    [`hf_${'aBcD'.repeat(8)}xy`, '[hidden]'],
    [`dckr_pat_${'aB-3_'.repeat(5)}xy`, '[hidden]'],
    [`shpat_${'0a'.repeat(16)}`, '[hidden]'],
    [`pypi-AgEI${'aB-3'.repeat(6)}`, '[hidden]'],
    [`AGE-SECRET-KEY-1${'QPZR'.repeat(14)}`, '[hidden]'],
    ['xapp-1-A0123456789-0123456789', '[hidden]'],
    [
      `posted to https://hooks.slack.com/${'services'}/T000/B000/XXXXabcd: 404`,
      'posted to https://hooks.slack.com/services/[hidden]: 404',
    ],
    ['https://discord.com/api/webhooks/123/abc-DEF_1 gone', 'https://discord.com/api/webhooks/[hidden] gone'],
    ['Password=b c d;', 'Password=[hidden];'],
    ['Server=db;Password=b c d;Port=1', 'Server=db;Password=[hidden];Port=1'],
    ['Driver=x;Pwd={b;c};', 'Driver=x;Pwd=[hidden];'],
    ['next_token=abc password=hunter2 failed; retrying', 'next_token=abc password=[hidden] failed; retrying'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nnext', '[hidden]\nnext'],
    ['-----BEGIN PRIVATE KEY-----\\nMIIE', '[hidden]'],
    [String.raw`got "{\"password\":\"a\\\"b\"}" of`, String.raw`got "{\"password\":\"[hidden]\"}" of`],
    [
      String.raw`{\\\\\\\"token\\\\\\\":\\\\\\\"x\\\\\\\"}`,
      String.raw`{\\\\\\\"token\\\\\\\":\\\\\\\"[hidden]\\\\\\\"}`,
    ],
    ['curl -u ann:hunter2 http://host/', 'curl -u ann:[hidden] http://host/'],
    ["curl -s --user 'ann:hunter2' http://host/", "curl -s --user 'ann:[hidden]' http://host/"],
    ['mysql -u root -phunter2 db', 'mysql -u root -p[hidden] db'],
    ['mysqldump -phunter2', 'mysqldump -p[hidden]'],
    ['token: |\n  hunter2\n\n  more\nhost: a', 'token: [hidden]\nhost: a'],
    ['started ["mysql","-uroot","-phunter2"]', 'started ["mysql","-uroot","-p[hidden]"]'],
    [`['sshpass', '-p', 'hunter2', 'ssh']`, `['sshpass', '-p', '[hidden]', 'ssh']`],
    [String.raw`{"Cmd":"[\"curl\",\"-u\",\"ann:hunter2\"]"}`, String.raw`{"Cmd":"[\"curl\",\"-u\",\"ann:[hidden]\"]"}`],
    ['["docker","login","-p","hunter2"]', '["docker","login","-p","[hidden]"]'],
    ['["redis-cli", "-a", "hunter2"]', '["redis-cli", "-a", "[hidden]"]'],
    ['sshpass -p hunter2 ssh ann@host', 'sshpass -p [hidden] ssh ann@host'],
    ['sshpass -phunter2 ssh ann@host', 'sshpass -p[hidden] ssh ann@host'],
    ['docker login -u ann -p hunter2 registry.example', 'docker login -u ann -p [hidden] registry.example'],
    ['redis-cli -h cache -a hunter2 ping', 'redis-cli -h cache -a [hidden] ping'],
    ['open root:hunter2@tcp(db:3306)/shop', 'open root:[hidden]@tcp(db:3306)/shop'],
    ['jdbc:oracle:thin:scott/tiger@//db:1521/x', 'jdbc:oracle:thin:scott/[hidden]@//db:1521/x'],
    ['machine h login ann password hunter2 port 1', 'machine h login ann password [hidden] port 1'],
    ['<add key="password" value="hunter2"/>', '<add key="password" value="[hidden]"/>'],
    ["<input type='x' name='api_key' value='hunter2'>", "<input type='x' name='api_key' value='[hidden]'>"],
    ['<password><![CDATA[hunter2]]></password>', '<password>[hidden]</password>'],
    ['a=1&password[]=hunter2&b=2', 'a=1&password[]=[hidden]&b=2'],
    ['password\u00a0=\u00a0hunter2', 'password\u00a0=\u00a0[hidden]'],
    ['password: |\n  hunter2\n  more\nport: 1', 'password: [hidden]\nport: 1'],
    ['//registry.npmjs.org/:_auth=YW5uOmh1bnRlcjI=', '//registry.npmjs.org/:_auth=[hidden]'],
    [`https://api.telegram.org/${'bot'}123456:AAF-x_y/sendMessage`, 'https://api.telegram.org/bot[hidden]'],
    [
      `https://acme.webhook.office.com/${'webhookb2'}/a-b@c-d/IncomingWebhook/e/f`,
      'https://acme.webhook.office.com/webhookb2/[hidden]',
    ],
    ['Authorization: Digest username="ann", nonce="n", response="6629", qop=auth', 'Authorization: Digest [hidden]'],
    ['password_confirmation=hunter2', 'password_confirmation=[hidden]'],
    ['GET /x?sid=abc&pass=def&hmac=0a&n=1', 'GET /x?sid=[hidden]&pass=[hidden]&hmac=[hidden]&n=1'],
    ['GET /x?next=%2Flogin%3Fpassword%3Dhunter2&n=1', 'GET /x?next=%2Flogin%3Fpassword%3D[hidden]&n=1'],
    ['<Password>hunter2</Password>', '<Password>[hidden]</Password>'],
    ['<Password type="text">hunter2</Password>', '<Password type="text">[hidden]</Password>'],
    ['{"user":"a","pass":"b"}', '{"user":"a","pass":"[hidden]"}'],
    ['{"auth":{"pass":"b","user":"a"}}', '{"auth":{"pass":"[hidden]","user":"a"}}'],
    [String.raw`{\"userName\":\"a\",\"pass\":\"b\"}`, String.raw`{\"userName\":\"a\",\"pass\":\"[hidden]\"}`],
    ['user=ann pass=hunter2', 'user=ann pass=[hidden]'],
    ['login: ann, pass: hunter2', 'login: ann, pass: [hidden]'],
    ['run --user ann --pass hunter2', 'run --user ann --pass [hidden]'],
    ['-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ\n-----END PGP PRIVATE KEY BLOCK-----\nnext', '[hidden]\nnext'],
    ['got eyJhbGciOiJkaXIifQ..aXY.Y3Q.dGFn of it', 'got [hidden] of it'],
    ['{"password":["a","b"],"n":1}', '{"password":[hidden],"n":1}'],
    ['{"password":{"v":"x]}"},"n":[1]}', '{"password":[hidden],"n":[1]}'],
    [String.raw`{\"token\":[\"a]\",{\"v\":\"b\"}],\"n\":1}`, String.raw`{\"token\":[hidden],\"n\":1}`],
    ["{ credentials: { user: 'ann', key: 'a}' }, n: 1 }", '{ credentials: [hidden], n: 1 }'],
    ['{"password":["a","b', '{"password":[hidden]'],
    ["CREATE ROLE ann WITH PASSWORD 'hunter2'", "CREATE ROLE ann WITH PASSWORD '[hidden]'"],
    ["alter user ann identified by 'it''s'; next", "alter user ann identified by '[hidden]'; next"],
    [
      "CREATE USER 'ann'@'%' IDENTIFIED WITH mysql_native_password BY 'x'",
      "CREATE USER 'ann'@'%' IDENTIFIED WITH mysql_native_password BY '[hidden]'",
    ],
    ["SET PASSWORD FOR ann = PASSWORD('x')", "SET PASSWORD FOR ann = PASSWORD('[hidden]')"],
    ['http://u:p/w@h/ failed', 'http://[hidden]@h/ failed'],
    ['amqp://u:p#2?3@h/x', 'amqp://[hidden]@h/x'],
    ['X-Api-Key: abc', 'X-Api-Key: [hidden]'],
    ['X-Auth-Token: abc', 'X-Auth-Token: [hidden]'],
    ['DBPASS=hunter2', 'DBPASS=[hidden]'],
    ['registered whsec_abcdefghijklmnop123', 'registered [hidden]'],
    ['ran ab -u ann:hunter2', 'ran ab -u ann:[hidden]'],
  ])('hides the secret of %s', (text, shown) => {
    expect(hideInText(text)).toBe(shown)
  })

  it.each([
    'the bearer token is missing',
    'Bearer authentication failed',
    'Basic authentication is off',
    'token: expired',
    'session: closed',
    'see https://host/a@b',
    "pg_dump --dbname='postgres://shop@db:5432/shop'",
    'redis+sentinel://shop@a:26379,b:26379/main',
    'mail bob@host',
    'the secret is out',
    'token_count=17 max_tokens: 4096 tokens_per_second=12.5',
    'password=null password="" {"token":null,"secret":false}',
    'password_reset_at=2026-01-01',
    'trace 0af7651916cd43dd8448eb211c80319c span b7ad6b7169203331',
    'order 018f2f4e-7a6b-7c3d-9e4f-0123456789ab is paid',
    'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'primary_key=17 idempotency-key: 9f8a, country_code=CH',
    'author: ann, keyboard=qwertz, secretary: bob, cookie_policy=strict',
    '<token_count>17</token_count>',
    '--cookie-policy strict',
    '-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----',
    'key=AKIA',
    'GET /orders?page_token=abc&next_token=def',
    'docker run -u 1000:1000 curl and mysql -p db',
    'pass=3 fail=2 account_sid=AC1 sid=7, the digest of it: sha=1',
    'the password%20policy',
    'http://host:8080/a@b and http://[::1]:80/a@b',
    'pass: 3, fail: 2, of users',
    'eyJhbGciOiJkaXIifQ... and so on',
    'the password is identified by its name',
    'AKID of the order, LTAI of the other, half_life, hvs.x, shp_to',
  ])('leaves %s', (text) => {
    expect(hideInText(text)).toBe(text)
  })

  const pieces = fc.constantFrom(
    ...[
      'password',
      'token',
      'api key',
      'Cookie',
      'authorization',
      'Bearer ',
      'Basic ',
      'dXNlcjpwYXNz',
      JWT,
      'eyJ',
      '://',
      '@',
      'a',
      ' ',
      '.',
      '-',
    ],
    ...[
      '=',
      ':',
      ': ',
      '"',
      "'",
      '\\',
      '\\"',
      '[',
      ']',
      '{',
      '}',
      '<',
      '>',
      '</',
      '--',
      ';',
      ',',
      '&',
      '?',
      '\n',
      '[hidden]',
      'hunter2',
      'AKIAIOSFODNN7EXAMPLE',
      ' -u ',
      'mysql',
      ' -p',
      'digest ',
      'nonce=',
      '%3D',
      '?sid=',
      'docker login',
      'login a password ',
      '@tcp(',
      'jdbc:oracle:thin:a/',
      'name="password"',
      'value="',
      '<![CDATA[',
      ']]>',
      ': |\n ',
      '[]=',
    ],
  )
  const text = fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 })), { maxLength: 30 }).map((parts) => parts.join(''))

  /** Any code units, half characters too. */
  const utf16 = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units))

  it.each([' -u password://\\', '-u token://x,y', 'password: |\n \n#'])(
    'changes nothing the second time: %s',
    (given) => {
      const shown = hideInText(given)
      expect(hideInText(shown)).toBe(shown)
    },
  )

  it('changes nothing the second time', () => {
    const property = fc.property(text, (given) => {
      const shown = hideInText(given)
      expect(hideInText(shown)).toBe(shown)
    })
    fc.assert(property, { numRuns: 3_000 })
  })

  it('takes any text', () => {
    fc.assert(fc.property(utf16, (given) => typeof hideInText(given) === 'string'))
  })

  it('looks closely wherever a name tells', () => {
    const words = [
      'api',
      'db',
      'user',
      'access',
      'refresh',
      'session',
      'key',
      'keys',
      'token',
      'tokens',
      'pass',
      'password',
      'pwd',
      'sig',
      'otp',
      'id',
      'code',
      'auth',
      'basic',
      'connection',
      'string',
      'cookie',
      'header',
      'x',
      '2',
    ]
    const name = fc.tuple(
      fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('_', '-', '.', ' ', ''),
    )
    const property = fc.property(name, ([parts, between]) => {
      const camel = parts.map((part, i) => (i === 0 ? part : part.charAt(0).toUpperCase() + part.slice(1)))
      for (const spelt of [parts.join(between), parts.join(between).toUpperCase(), camel.join('')]) {
        if (isSecretName(spelt)) expect(isSuspicious(JSON.stringify({ [spelt]: 'hunter2' }))).toBe(true)
      }
    })
    fc.assert(property, { numRuns: 2_000 })
  })
})
