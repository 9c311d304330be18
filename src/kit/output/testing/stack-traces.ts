/** What a runtime writes when something fails, each the text of one entry. */
export interface StackTrace {
  readonly what: string
  readonly level: string
  readonly text: string
}

/** Python, Java, Node and Rust from the runtimes themselves; Go, .NET, Ruby and PHP as their manuals have them. */
export const STACK_TRACES: readonly StackTrace[] = [
  {
    what: 'Python, logged, with a cause',
    level: 'ERROR',
    text: `ERROR:root:failed
Traceback (most recent call last):
  File "/app/a.py", line 4, in f
    try: {}['k']
         ~~^^^^^
KeyError: 'k'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/a.py", line 6, in <module>
    try: f()
         ^^^
ValueError: bad`,
  },
  {
    what: 'Python, uncaught',
    level: 'ERROR',
    text: `Traceback (most recent call last):
  File "/app/a.py", line 13, in <module>
    f()
KeyboardInterrupt`,
  },
  {
    what: 'Python, logged without a level',
    level: 'ERROR',
    text: `not sold
Traceback (most recent call last):
  File "/app/a.py", line 13, in <module>
    f()
shop.errors.NoStock: 7`,
  },
  {
    what: 'Python, a group',
    level: 'ERROR',
    text: `  + Exception Group Traceback (most recent call last):
  |   File "/app/a.py", line 11, in <module>
  |     raise ExceptionGroup('many',[ValueError(1),TypeError('t')])
  | ExceptionGroup: many (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: t
    +------------------------------------`,
  },
  {
    what: 'Python, a warning',
    level: 'WARNING',
    text: `/app/a.py:9: UserWarning: old
  warnings.warn('old')`,
  },
  {
    what: 'Java’s own logger',
    level: 'ERROR',
    text: `Nov 28, 2026 4:43:42 AM com.shop.Orders main
SEVERE: not sold
java.lang.RuntimeException: x
\tat A.main(A.java:3)
\tat java.base/java.lang.reflect.Method.invoke(Method.java:569)`,
  },
  {
    what: 'Java, uncaught',
    level: 'ERROR',
    text: `Exception in thread "main" java.lang.RuntimeException: outer
\tat A.f(A.java:2)
\tat A.main(A.java:3)
Caused by: java.lang.IllegalStateException: inner
\tat A.f(A.java:2)
\t... 12 more`,
  },
  {
    what: 'logback',
    level: 'ERROR',
    text: `04:43:40.123 [main] ERROR com.shop.Orders -- not sold
java.lang.IllegalStateException: no stock
\tat com.shop.Orders.sell(Orders.java:31)
\tSuppressed: java.io.IOException: closed
\t\tat com.shop.Orders.close(Orders.java:40)
Caused by: java.sql.SQLException: gone
\t... 2 common frames omitted`,
  },
  {
    what: 'Java, printStackTrace',
    level: 'ERROR',
    text: `java.lang.NullPointerException
\tat com.shop.Orders.sell(Orders.java:31)`,
  },
  {
    what: 'Node, uncaught',
    level: 'ERROR',
    text: `/app/b.cjs:1
throw new Error('boom')
^

Error: boom
    at Object.<anonymous> (/app/b.cjs:1:7)
    at node:internal/main/run_main_module:33:47

Node.js v26.10.0`,
  },
  {
    what: 'Node, a module that is missing',
    level: 'ERROR',
    text: `node:internal/modules/cjs/loader:1595
  throw err;
  ^

Error: Cannot find module 'nothere'
Require stack:
- /app/c.cjs
    at Module._resolveFilename (node:internal/modules/cjs/loader:1591:15)
    at Object.<anonymous> (/app/c.cjs:1:1) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/c.cjs' ]
}

Node.js v26.10.0`,
  },
  {
    what: 'Node, console.error',
    level: 'ERROR',
    text: `Error: outer
    at Object.<anonymous> (/app/a.cjs:6:9)
    ... 5 lines matching cause stack trace ...
    at node:internal/main/run_main_module:33:47 {
  code: 'X',
  [cause]: TypeError: inner
      at Object.<anonymous> (/app/a.cjs:6:34)
}`,
  },
  {
    what: 'Node, an error behind words',
    level: 'ERROR',
    text: `request failed Error: outer
    at Object.<anonymous> (/app/a.cjs:6:9)`,
  },
  {
    what: 'Node, a warning',
    level: 'WARNING',
    text: '(node:6957) Warning: old',
  },
  {
    what: 'Go, a panic',
    level: 'CRITICAL',
    text: `panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f0e2]

goroutine 1 [running]:
main.sell(...)
\t/app/main.go:8
main.main()
\t/app/main.go:4 +0x1d

goroutine 6 [chan receive, 2 minutes]:
main.(*Shop).serve(0xc000012345)
\t/app/main.go:31 +0x45
created by main.main in goroutine 1
\t/app/main.go:3 +0x25
exit status 2`,
  },
  {
    what: 'Go, a panic in a handler',
    level: 'ERROR',
    text: `2026/11/28 04:43:40 http: panic serving 127.0.0.1:41234: boom
goroutine 34 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1947 +0xbe
panic({0x6a3f20?, 0x76cbe0?})
\t/usr/local/go/src/runtime/panic.go:785 +0x132`,
  },
  {
    what: '.NET, unhandled',
    level: 'ERROR',
    text: `Unhandled exception. System.InvalidOperationException: boom
 ---> System.Exception: inner
   at Program.<Main>$(String[] args) in /app/Program.cs:line 3
   --- End of inner exception stack trace ---
   at Program.<Main>$(String[] args) in /app/Program.cs:line 7`,
  },
  {
    what: '.NET’s console',
    level: 'ERROR',
    text: `fail: Shop.Orders[0]
      not sold
      System.InvalidOperationException: boom
         at Shop.Orders.Sell() in /app/Orders.cs:line 3`,
  },
  {
    what: 'Ruby',
    level: 'ERROR',
    text: `a.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)
\tfrom a.rb:3:in 'Object#sell'
\tfrom a.rb:7:in '<main>'`,
  },
  {
    what: 'PHP',
    level: 'CRITICAL',
    text: `PHP Fatal error:  Uncaught Exception: boom in /app/a.php:3
Stack trace:
#0 /app/a.php(7): sell()
#1 {main}
  thrown in /app/a.php on line 3`,
  },
  {
    what: 'Rust',
    level: 'CRITICAL',
    text: `thread 'main' (7196) panicked at a.rs:1:67:
assertion \`left == right\` failed: differ
  left: 1
 right: 2
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/5980/library/std/src/panicking.rs:689:5
   1: a::main
note: Some details are omitted, run with \`RUST_BACKTRACE=full\` for a verbose backtrace.`,
  },
  {
    what: 'anyhow',
    level: 'ERROR',
    text: `Error: not sold

Caused by:
    0: no stock
    1: gone`,
  },
]
