import { posix } from 'node:path'
import type { OwnService } from '../../../kit/config/own-service.ts'
import type { Deployment } from '../deployment.ts'
import { CONFIG, CONFIG_FOLDER, homeOf, PROGRAM, SECRETS, UNITS } from './places.ts'

/**
 * What a person types in the deployment's folder to have the machine run it.
 * @param units what the files of units are called
 */
export function installSteps(deployment: Deployment, units: readonly string[]): readonly string[] {
  const { file, fileName, sources } = deployment
  const endings = [...new Set(units.map((unit) => posix.extname(unit)))].map((ending) => `*${ending}`)
  return [
    `[ "$(command -v msvc)" = ${PROGRAM} ] || sudo install -m 0755 "$(command -v msvc)" ${PROGRAM}`,
    `sudo install -d -m 0700 ${SECRETS}`,
    `sudo install -m 0400 secrets/* ${SECRETS}/`,
    ...(file === undefined
      ? []
      : [`sudo install -m 0600 ${word(posix.join(sources, fileName))} ${CONFIG_FOLDER}/${CONFIG}`]),
    ...servicesSteps(deployment),
    `sudo cp ${endings.join(' ')} ${UNITS}/`,
    'sudo systemctl daemon-reload && sudo systemctl enable --now msvc.target',
  ]
}

/** Puts the services where their units look for them, and builds them there, as who types it: nothing of theirs is root's. */
function servicesSteps(deployment: Deployment): readonly string[] {
  const { services, sources, folder, fileName, privatePaths } = deployment
  if (services.length === 0) return []
  const home = homeOf(deployment)
  // what others may not read, and what is no part of them
  const left = ['.git', fileName, folder, ...privatePaths]
    .filter(isWithin)
    .map((path) => ` --exclude=${word(`./${path}`)}`)
  return [
    `sudo install -d -o "$(id -un)" ${home}`,
    `tar -C ${word(sources)} --anchored --no-wildcards${[...new Set(left)].join('')} -cf - . | tar -C ${home} -xf -`,
    ...services.flatMap(({ dir, own }) =>
      own.build === undefined ? [] : [`(cd ${word(posix.join(home, dir))} && ${buildOf(own.build)})`],
    ),
  ]
}

function isWithin(path: string): boolean {
  return path !== '.' && !path.startsWith('..') && !posix.isAbsolute(path)
}

function buildOf(build: NonNullable<OwnService['build']>): string {
  return typeof build === 'string' ? `sh -c ${word(build)}` : build.map(word).join(' ')
}

/** A word of a shell's, to the letter. */
function word(text: string): string {
  return /^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
