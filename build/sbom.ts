// What is inside the executable, as a bill of materials for scanners: CycloneDX 1.6 (ECMA-424, https://cyclonedx.org/docs/1.6/json/).
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { packagesOf } from './bundling.ts'
import { NODE_VERSION, TARGET_NAMES, targetOf } from './targets.ts'

/** Of a package.json, what a bill says. */
const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  description: z.string().optional(),
  dependencies: z.record(z.string(), z.string()).default({}),
})
type Manifest = z.infer<typeof Manifest>

/** Of package-lock.json: the sums of what was installed, by folder. */
const Lock = z.object({ packages: z.record(z.string(), z.object({ integrity: z.string().optional() })) })

/** What the bill is about. */
export interface Contents {
  /** The repository's folder. */
  readonly root: string
  /** Files that went into the bundles, from there: what is in no bundle is in no bill. */
  readonly inputs: readonly string[]
  /** When it is said to be written, seconds since 1970. */
  readonly time: number
}

/** The bill, as JSON: msvc, the packages in it, and the Node of each target. The same for the same contents. */
export async function billOfMaterials({ root, inputs, time }: Contents): Promise<string> {
  const lock = Lock.parse(JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')))
  const read = async (folder: string) =>
    Manifest.parse(JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')))
  const own = await read('')
  const packages = await Promise.all(
    packagesOf(inputs).map(async (folder) => ({
      folder,
      manifest: await read(folder),
      integrity: lock.packages[folder]?.integrity,
    })),
  )
  const refs = new Map(packages.map(({ manifest }) => [manifest.name, purlOf(manifest)]))
  const dependsOn = ({ dependencies }: Manifest) =>
    Object.keys(dependencies)
      .flatMap((name) => refs.get(name) ?? [])
      .sort()
  const nodes = TARGET_NAMES.map(targetOf).map(({ package: name, integrity }) => ({
    ...component({ name, version: NODE_VERSION, license: 'MIT', description: 'Node.js', dependencies: {} }, integrity),
    type: 'platform',
  }))
  const subject = { ...component(own), type: 'application' }
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { timestamp: new Date(time * 1000).toISOString(), component: subject },
    components: [...packages.map(({ manifest, integrity }) => component(manifest, integrity)), ...nodes],
    dependencies: [
      { ref: purlOf(own), dependsOn: [...dependsOn(own), ...nodes.map(({ purl }) => purl)] },
      ...packages.map(({ manifest }) => ({ ref: purlOf(manifest), dependsOn: dependsOn(manifest) })),
    ],
  }
  return `${JSON.stringify({ serialNumber: serialNumber(JSON.stringify(bill)), ...bill }, null, 2)}\n`
}

function component(manifest: Manifest, integrity?: string) {
  const { name, version, license, description } = manifest
  const [group, short] = name.startsWith('@') ? name.split('/') : [undefined, name]
  const purl = purlOf(manifest)
  return {
    type: 'library',
    'bom-ref': purl,
    ...(group && { group }),
    name: short,
    version,
    ...(description && { description }),
    licenses: [/[ ()]/.test(license) ? { expression: license } : { license: { id: license } }],
    ...(integrity && { hashes: [{ alg: 'SHA-512', content: hex(integrity) }] }),
    purl,
  }
}

/** @example purlOf({ name: '@hono/node-server', version: '2.1.9' }) // 'pkg:npm/%40hono/node-server@2.1.9' */
const purlOf = ({ name, version }: { readonly name: string; readonly version: string }) =>
  `pkg:npm/${name.replace('@', '%40')}@${version}`

/** Of an integrity as npm writes it. */
const hex = (integrity: string) => Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex')

/** Of the contents: another bill has another one. A UUID of the form that is one's own to make (RFC 9562, 5.8). */
function serialNumber(contents: string): string {
  const digest = createHash('sha256').update(contents).digest().subarray(0, 16)
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  const digits = digest.toString('hex')
  return `urn:uuid:${[digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-')}`
}
