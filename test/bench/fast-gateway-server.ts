import { createRequire } from 'node:module'

/** The peer: fast-gateway with one route and nothing else on. */
const [folder = '', port = '0', target = ''] = process.argv.slice(2)
const gateway = createRequire(`${folder}/`)(`${folder}/node_modules/fast-gateway`) as (options: unknown) => {
  start(port: number, host: string): Promise<unknown>
}
await gateway({ routes: [{ prefix: '/gateway', target }] }).start(Number(port), '127.0.0.1')
