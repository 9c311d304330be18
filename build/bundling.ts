// What the builds of the executable and of the package have in common: how packages are put into a bundle, and the licences that come with them.
import { join } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'
import { licenceOf, licencesText } from '../src/process-licences.ts'

/** Packages that others ask for but can do without: they get the error they know how to handle. */
const OPTIONAL = /^(?:pg-native|supports-color|bufferutil|utf-8-validate|effect|sury|zod-to-json-schema|@valibot\/.*)$/

/** Leaves out of a bundle what nobody uses. @param root the repository's folder */
export const resolutions = (root: string): Plugin => ({
  name: 'resolutions',
  setup({ onResolve, onLoad }) {
    // The node entry carries a second HTTP client; Node has had fetch for years.
    onResolve({ filter: /^ofetch$/ }, () => ({ path: join(root, 'node_modules/ofetch/dist/index.mjs') }))
    // hono-openapi imports the core at run time for this one function, and would bring every locale (600 KB).
    onResolve({ filter: /^zod\/v4\/core$/ }, ({ resolveDir, kind }) =>
      kind === 'dynamic-import' ? { path: 'zod-core', namespace: 'narrow', pluginData: resolveDir } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'narrow' }, ({ pluginData }) => ({
      contents: `export { toJSONSchema } from 'zod'`,
      resolveDir: pluginData,
    }))
    // The listener speaks HTTP/1.1 only; node's HTTP/2 would be loaded by every role for one `instanceof` (10 ms of its start).
    onResolve({ filter: /^node:http2$/ }, () => ({ path: 'http2', namespace: 'unspoken' }))
    onLoad({ filter: /.*/, namespace: 'unspoken' }, () => ({
      contents: 'export class Http2ServerRequest {}\nexport const constants = {}',
    }))
    onResolve({ filter: OPTIONAL }, ({ path }) => ({ path, namespace: 'optional' }))
    onLoad({ filter: /.*/, namespace: 'optional' }, ({ path }) => ({
      contents: `throw Object.assign(new Error('Cannot find module ${path}'), { code: 'MODULE_NOT_FOUND' })`,
    }))
  },
})

/** Names stay: a stack trace from a user's machine must be readable. */
export const READABLE = {
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 200,
  legalComments: 'none',
} satisfies BuildOptions

/** The folders of the packages that files are of, in order: `node_modules/hono`, one in another package's node_modules too. */
export function packagesOf(inputs: readonly string[]): string[] {
  return [
    ...new Set(inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [])),
  ].sort()
}

/**
 * The licences of the packages inside, which ask to travel with every copy.
 * @param root the repository's folder
 * @param inputs files that went in, from there
 * @param more texts before theirs
 */
export async function notices(root: string, inputs: readonly string[], more: readonly string[] = []): Promise<string> {
  return licencesText([...more, ...(await Promise.all(packagesOf(inputs).map((folder) => licenceOf(root, folder))))])
}
