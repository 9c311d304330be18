import { statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AppError } from '../../kit/errors.ts'
import { loadRoles } from '../../roles/catalog.ts'
import type { Session } from '../session/session.ts'
import { dataInGit } from './data-in-git.ts'
import { detect } from './detect.ts'
import { fileText } from './file-text.ts'
import { foldersIn, openFolder } from './folder.ts'

/**
 * `msvc init`: writes `msvc.yaml` into a folder by what is in it, and says what was found.
 * Throws AppError `USAGE` for what is no folder, `CONFLICT` where a msvc.yaml is there and `force` isn't given, `NOT_FOUND` where nothing was found.
 */
export async function writeFirstFile(
  session: Session,
  folder: string,
  { force = false }: { readonly force?: boolean },
): Promise<void> {
  const root = resolve(session.io.folder, folder)
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new AppError('USAGE', `there is no folder ${root}`)
  const reserved = (await loadRoles()).flatMap(({ name, service }) => [name, service])
  const inner = foldersIn(root).map((path) => openFolder(root, path))
  const detected = detect(openFolder(root, '.'), inner, reserved)
  if (detected.services.length === 0) {
    throw new AppError(
      'NOT_FOUND',
      [
        `nothing was found in ${root} that could be run; write services: into a msvc.yaml by hand`,
        ...detected.remarks,
      ].join('\n'),
    )
  }
  const file = join(root, 'msvc.yaml')
  await writeFile(file, fileText(detected), { flag: force ? 'w' : 'wx' }).catch((fault: unknown) => {
    const exists = fault instanceof Error && 'code' in fault && fault.code === 'EEXIST'
    if (exists) throw new AppError('CONFLICT', `${file} is there already; --force writes over it`, { cause: fault })
    throw fault
  })
  for (const { name, run, dir } of detected.services)
    session.print(`${name}: ${run}${dir === '.' ? '' : ` (in ${dir})`}`)
  for (const remark of detected.remarks) session.print(remark)
  session.printJson({ file, ...detected })
  const remark = dataInGit(root, '.msvc')
  if (remark !== undefined) session.messages.warn(remark)
  session.messages.success(`${file} is written: look over it, then msvc check and msvc up`)
}
