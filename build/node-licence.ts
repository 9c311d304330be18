import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NODE_VERSION, nativeName, TARGET_NAMES, targetOf } from './targets.ts'

/** Where it stands, for a package of Node without it. */
export const NODE_LICENCE_ELSEWHERE = 'Node.js: https://github.com/nodejs/node/blob/main/LICENSE'

/**
 * The licence of the Node in node_modules, with those of all it is made of.
 * @param root the repository's folder
 */
export async function nodeLicence(root: string): Promise<string> {
  const native = TARGET_NAMES.find((name) => name === nativeName(process))
  if (!native) return NODE_LICENCE_ELSEWHERE
  const folder = join(root, 'node_modules/node/node_modules', targetOf(native).package)
  return readFile(join(folder, 'LICENSE'), 'utf8').then(
    (text) => nodeLicenceText(text),
    () => NODE_LICENCE_ELSEWHERE,
  )
}

/** The text of Node's licence, below its name. */
export const nodeLicenceText = (text: string) => `Node.js ${NODE_VERSION}\n\n${text.trim()}`
