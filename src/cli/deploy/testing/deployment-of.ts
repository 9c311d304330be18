import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { configure } from '../../session/configuration.ts'
import type { Deployment } from '../deployment.ts'
import { planDeployment } from '../plan-deployment.ts'

/** What a test's deployment is planned by. */
interface Wanted {
  /** What msvc.yaml says; default: there is none. */
  readonly file?: string
  /** Folders that are beside it, such as those of services. */
  readonly folders?: readonly string[]
  /** Files beside it, with what is in them. */
  readonly files?: Readonly<Record<string, string>>
  /** Whether its owner alone can read the file. Default false. */
  readonly isPrivate?: boolean
  readonly scale?: Readonly<Record<string, number>>
  readonly image?: string
}

/** Plans a deployment as `msvc deploy compose` does in a folder of its own. */
export async function deploymentOf({
  file,
  folders = [],
  files = {},
  isPrivate = false,
  scale = {},
  image,
}: Wanted = {}): Promise<Deployment> {
  const root = mkdtempSync(join(tmpdir(), 'msvc-deploy-'))
  try {
    const folder = join(root, 'shop')
    for (const name of ['.', ...folders]) mkdirSync(join(folder, name), { recursive: true })
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const path = join(folder, 'msvc.yaml')
    if (file !== undefined) writeFileSync(path, file)
    const options = file === undefined ? {} : { config: path }
    const configured = await configure({ io: { folder, environment: {} }, options }, { runs: false })
    return planDeployment({
      configured,
      file: file === undefined ? undefined : { path, text: file, isPrivate },
      folder: join(folder, 'deploy/compose'),
      here: folder,
      scale: new Map(Object.entries(scale)),
      image,
    })
  } finally {
    rmSync(root, { recursive: true })
  }
}
