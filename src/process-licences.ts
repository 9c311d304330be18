import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getAsset, isSea } from 'node:sea'
import * as z from 'zod'
import { AppError } from './kit/errors.ts'

/** The name under which the executable holds the licences of all that is in it. */
export const LICENCES = 'licences'

/** Of a package.json. */
const Manifest = z.object({ name: z.string(), version: z.string(), license: z.string().default('no licence named') })

/** Of package-lock.json: what is only there to build and test is `dev`. */
const Lock = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().default(false) })) })

/** Texts of licences below one another. */
export function licencesText(texts: readonly string[]): string {
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/**
 * The licence of a package, below its name.
 * @param root the repository's folder
 * @param folder the package's, from there
 */
export async function licenceOf(root: string, folder: string): Promise<string> {
  const { name, version, license } = Manifest.parse(
    JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')),
  )
  const file = (await readdir(join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file ? await readFile(join(root, folder, file), 'utf8') : ''
  return `${name} ${version} (${license})\n\n${text.trim()}`
}

/**
 * The licences of what this program is made of: out of the executable, or of the packages installed beside the sources.
 * @param root the folder of the sources' repository
 * @throws AppError UNAVAILABLE where there is neither
 */
export async function processLicences(root: string): Promise<string> {
  if (isSea()) return getAsset(LICENCES, 'utf8')
  try {
    const { packages } = Lock.parse(JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')))
    const folders = Object.keys(packages).filter((folder) => folder !== '' && !packages[folder]?.dev)
    const read = folders.map((folder) => licenceOf(root, folder).catch(() => undefined))
    // what is optional may not be installed
    return licencesText((await Promise.all(read)).filter((text) => text !== undefined))
  } catch (cause) {
    throw new AppError('UNAVAILABLE', `there are no licences beside the program: ${root} is not its sources' folder`, {
      cause,
    })
  }
}
