import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guessLevel } from './line-level.ts'

describe('guessLevel', () => {
  it.each([
    ['ERROR not sold', 'ERROR'],
    ['ERROR: not sold', 'ERROR'],
    ['[warn] low', 'WARNING'],
    ['[ERROR] not sold', 'ERROR'],
    ['(main) [error] y', 'ERROR'],
    ['error: not sold', 'ERROR'],
    ['Warning: low', 'WARNING'],
    ['W0102 15:04:05.123456    7 main.go:31] low', 'WARNING'],
    ['F0102 15:04:05.123456    7 main.go:31] gone', 'CRITICAL'],
    ['WARNING:root:low', 'WARNING'],
    ['2026-11-28 04:43:41,284 - shop.orders - ERROR - not sold', 'ERROR'],
    ['2026-11-28 04:43:41,284 DEBUG shop: x', 'DEBUG'],
    ['[2026-11-28 04:39:16 +0000] [1234] [INFO] Starting gunicorn 23.0.0', 'INFO'],
    ['INFO:     Started server process [123]', 'INFO'],
    ['[2026-11-28 04:39:16,123: WARNING/MainProcess] low', 'WARNING'],
    ['2026-11-28 04:39:16.123 | ERROR    | __main__:<module>:3 - not sold', 'ERROR'],
    ['2026-11-28T04:39:16.123Z  WARN 4711 --- [app] [main] c.e.Orders : low', 'WARNING'],
    ['04:39:16.123 [main] INFO  com.shop.Orders -- sold', 'INFO'],
    ['0    [main] ERROR com.shop.Orders  - not sold', 'ERROR'],
    ['2026-11-28 04:39:16,123 ERROR [io.quarkus] (main) not sold', 'ERROR'],
    ['SEVERE: not sold', 'ERROR'],
    ['E, [2026-11-28T04:39:16.123456 #1234] ERROR -- : not sold', 'ERROR'],
    ['[2026-11-28T04:39:16.123456+00:00] app.ERROR: not sold {"id":7} []', 'ERROR'],
    ['[28-Nov-2026 04:39:16 UTC] PHP Warning:  Undefined variable $a in /a.php on line 3', 'WARNING'],
    ['PHP Parse error:  syntax error in /a.php on line 3', 'ERROR'],
    ['2026/11/28 04:39:16 [error] 1234#0: *1 open() failed', 'ERROR'],
    ['[Sat Nov 28 04:39:16.123456 2026] [core:error] [pid 1234] not sold', 'ERROR'],
    ['[2026-11-28T04:39:16Z ERROR shop::orders] not sold', 'ERROR'],
    ['2026-11-28T04:39:16.123456Z  WARN shop::orders: low', 'WARNING'],
    ['2026-11-28T04:39:16.123Z\tERROR\tshop/main.go:31\tnot sold\t{"id": 7}', 'ERROR'],
    ['2026-11-28T04:39:16.123Z\terror\tnot sold', 'ERROR'],
    ['4:39AM ERR not sold id=7', 'ERROR'],
    ['2026/11/28 04:39:16 ERROR not sold count=3', 'ERROR'],
    ['fail: Shop.Orders[0]', 'ERROR'],
    ['2026-11-28 04:39:16.123 UTC [1234] FATAL:  gone', 'CRITICAL'],
    ['[Nest] 1234  - 11/28/2026, 4:39:16 AM    WARN [Orders] low', 'WARNING'],
    ['npm ERR! code ELIFECYCLE', 'ERROR'],
    ['npm error code ELIFECYCLE', 'ERROR'],
    ['npm warn deprecated x', 'WARNING'],
    ['(node:1234) [DEP0040] DeprecationWarning: old', 'WARNING'],
    ['TypeError: x is not a function', 'ERROR'],
    ['java.lang.IllegalStateException: no stock', 'ERROR'],
    ['panic: boom', 'CRITICAL'],
    ['caller=main.go level=error what went wrong', 'ERROR'],
  ])('%s', (line, level) => {
    expect(guessLevel(line)).toBe(level)
  })

  it.each([
    'no ERROR was found',
    'listening on 7001',
    'an error: none',
    '404 ERROR pages were shown',
    'FINE weather',
    'HTTP server is up',
    '127.0.0.1 - - [28/Nov/2026:04:39:16 +0000] "GET /error HTTP/1.1" 200 17',
    '2026/11/28 04:39:16 error pages are cached',
    '2026/11/28 04:39:16 sold an ERROR mug',
    '[main] started',
    'Errors: 0',
    'warning lights: none',
    '(',
    '[',
    '',
    '   ',
  ])('guesses none of %j', (line) => {
    expect(guessLevel(line)).toBeUndefined()
  })

  it('takes any line', () => {
    fc.assert(fc.property(fc.string({ maxLength: 400 }), (line) => void guessLevel(line)))
  })
})
