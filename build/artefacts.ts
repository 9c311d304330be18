// Makes what is handed out: for each target an executable, its archive and its profile; for all of them sums and a bill of materials.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../src/kit/errors.ts'
import { LICENCES } from '../src/process-licences.ts'
import { type Packed, tarGz, zip } from './archives.ts'
import { notices } from './bundling.ts'
import { compileProgram, makeBundles, type Program } from './compiled-program.ts'
import { elfOf, embed, readyForAnySystem } from './embedding.ts'
import { engineOf } from './engine.ts'
import { NODE_LICENCE_ELSEWHERE, nodeLicenceText } from './node-licence.ts'
import { nodePackage } from './node-package.ts'
import { packProfile, withProfile } from './profile.ts'
import { requirementsOf, requirementsText } from './requirements.ts'
import { billOfMaterials } from './sbom.ts'
import { NODE_VERSION, type Target } from './targets.ts'

/** What to make, and where. */
export interface Order {
  /** The repository's folder. */
  readonly root: string
  /** For files on the way. */
  readonly work: string
  /** Where the artefacts go. */
  readonly dist: string
  readonly version: string
  readonly targets: readonly Target[]
  /** A folder with the profiles of an earlier build, to make the same bytes as that one. Default: the functions are compiled anew. */
  readonly profiles?: string
  /** Of all files in archives, seconds since 1970. */
  readonly time: number
  /** The most that an archive may take, bytes. Default 60 MB. */
  readonly mostBytes?: number
  readonly say: (message: string) => void
}

/** The most that an archive may take, bytes: what one downloads in a minute on a slow line. */
const MAX_ARCHIVE = 60_000_000

/**
 * Makes the artefacts of all targets, each file moved to its place when it is whole.
 * @throws AppError for a target that can't be built here, with what to do; and for an archive that is too large, of which nothing is put there
 */
export async function makeArtefacts(order: Order): Promise<void> {
  const { work, dist, targets, version, say } = order
  if (process.version !== `v${NODE_VERSION}`)
    throw new AppError(
      'USAGE',
      `targets are built by Node ${NODE_VERSION}, not ${process.version}; run: npm ci && npm run build`,
    )
  const bundles = await makeBundles(work)
  const sums: string[] = []
  const put = async (name: string, bytes: Buffer) => {
    await writeFile(join(work, name), bytes)
    await rename(join(work, name), join(dist, name))
    sums.push(`${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`)
  }
  for (const target of targets) {
    const { archive, profile, executable } = await makeArtefact(order, bundles, target)
    await mkdir(join(dist, target.name), { recursive: true })
    await rename(executable, join(dist, target.name, target.executable))
    await put(`msvc-${version}-${target.name}${target.executable.endsWith('.exe') ? '.zip' : '.tar.gz'}`, archive)
    if (profile) await put(profileName(version, target), profile)
    say(`msvc-${version}-${target.name}: ${(archive.length / 1e6).toFixed(1)} MB`)
  }
  await put(`msvc-${version}.cdx.json`, Buffer.from(await billOfMaterials({ ...order, inputs: bundles.inputs })))
  await writeFile(join(dist, 'SHA256SUMS'), sums.toSorted((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join(''))
}

const profileName = (version: string, { name }: Target) => `msvc-${version}-${name}.profile.tar.gz`

async function makeArtefact(order: Order, bundles: Program, target: Target) {
  const { root, version, time, mostBytes = MAX_ARCHIVE, say } = order
  const folder = join(order.work, target.name)
  await mkdir(folder, { recursive: true })
  const node = await nodePackage(root, target)
  const licences = await notices(root, bundles.inputs, [
    node.licence ? nodeLicenceText(node.licence) : NODE_LICENCE_ELSEWHERE,
  ])
  await writeFile(join(folder, LICENCES), licences)
  const compiled = await compiledFor(order, bundles, { target, node: node.executable, folder })
  const program = compiled ?? bundles
  const output = join(folder, target.executable)
  await embed({
    program: { ...program, assets: { ...program.assets, [LICENCES]: join(folder, LICENCES) } },
    node: node.executable,
    warn: say,
    folder,
    output,
  })
  const executable = await readFile(output)
  const elf = elfOf(executable)
  const wants = elf && requirementsOf(elf)
  if (wants) say(`${target.name} wants ${requirementsText(wants)}`)
  if (target.name.startsWith('darwin'))
    say(`${target.name} has to be signed on a Mac before it starts there: codesign --sign - --force msvc`)
  const sha256 = createHash('sha256').update(executable).digest('hex')
  const manifest = {
    name: 'msvc',
    version,
    target: target.name,
    node: NODE_VERSION,
    compiled: compiled !== undefined,
    sha256,
    ...wants,
  }
  const within = `msvc-${version}-${target.name}`
  const file = (name: string, bytes: Buffer): Packed => ({
    path: `${within}/${name}`,
    bytes,
    isExecutable: name === target.executable,
  })
  const files = [
    file(target.executable, executable),
    file('LICENSE', await readFile(join(root, 'LICENSE'))),
    file('THIRD-PARTY-NOTICES.txt', Buffer.from(licences)),
    file('manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)),
  ]
  const archive = await (target.executable.endsWith('.exe') ? zip : tarGz)(files, time)
  if (archive.length > mostBytes)
    throw new AppError('UNPROCESSABLE', `${target.name} takes more than ${mostBytes / 1e6} MB: find out what has grown`)
  return { archive, profile: compiled && (await packProfile(compiled, target.name, time)), executable: output }
}

/** With what V8 has compiled, as an earlier build has it or anew; undefined where the target's Node can't be run. */
async function compiledFor(
  { profiles, version, say }: Order,
  bundles: Program,
  { target, node, folder }: { readonly target: Target; readonly node: Buffer; readonly folder: string },
): Promise<Program | undefined> {
  if (profiles) {
    const path = join(profiles, profileName(version, target))
    return withProfile(bundles, { path, target: target.name, folder })
  }
  const path = join(folder, target.executable.replace('msvc', 'node'))
  await writeFile(
    path,
    readyForAnySystem(node, () => {}),
    { mode: 0o755 },
  )
  const engine = await engineOf(target.name, path)
  if (engine) return compileProgram(bundles, folder, engine)
  say(
    `${target.name} can't be run here, so that none of its functions come compiled: it starts slower than one built there`,
  )
  return undefined
}
