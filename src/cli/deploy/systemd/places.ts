import type { Deployment } from '../deployment.ts'

/** Where an administrator's units are (systemd.unit(5)). */
export const UNITS = '/etc/systemd/system'
/** Where the program is. */
export const PROGRAM = '/usr/local/bin/msvc'
/** Where the user's file is: root's alone, as it may hold passwords. */
export const CONFIG_FOLDER = '/etc/msvc'
/** Where secrets are, a file each, root's alone. */
export const SECRETS = `${CONFIG_FOLDER}/secrets`
/** What the user's file is called there, and as a credential. */
export const CONFIG = 'msvc.yaml'

/** Where the user's services are. */
export function homeOf({ name }: Pick<Deployment, 'name'>): string {
  return `/opt/${name}`
}
