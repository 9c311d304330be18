import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

/** What an image says of itself, as far as rules ask (OCI image configuration, and the health check that docker adds). */
export const ImageConfig = z.object({
  architecture: z.string(),
  os: z.string(),
  config: z.object({
    User: z.string(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()),
    Volumes: z.record(z.string(), z.object({})),
    WorkingDir: z.string(),
    StopSignal: z.string(),
    Healthcheck: z.object({ Test: z.array(z.string()), Interval: z.int(), Timeout: z.int(), Retries: z.int() }),
  }),
})
export type ImageConfig = z.infer<typeof ImageConfig>

const SHELLS = /^(?:(?:ba|da|a|z|k|c|tc)?sh|busybox|toybox)$/
const MANAGERS = /^(?:apt(?:-get)?|dpkg|apk|rpm|dnf|yum|sudo|su)$/
const LEFT_OVER =
  /(?:^|\/)(?:Dockerfile|docker-compose\.ya?ml|\.vimrc|\.npm|\.cache|\.git|\.DS_Store|id_rsa|id_ed25519|.*\.pem)$/
const SYSTEM = ['/dev', '/proc', '/sys', '/etc', '/run']

/** What is wrong with an image, unpacked, by the rules of dockle (CIS-DI-…, DKL-…; https://github.com/goodwithtech/dockle/blob/master/CHECKPOINT.md). */
export function imageFaults(root: string, { config }: Pick<ImageConfig, 'config'>): readonly string[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const modeOf = (path: string) => {
    const found = lstatSync(join(root, path))
    return found.isSymbolicLink() ? 0 : found.mode
  }
  const table = (path: string) =>
    readFileSync(join(root, path), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(':'))
  const users = table('etc/passwd')
  const isTwice = (texts: readonly (string | undefined)[]) => new Set(texts).size < texts.length
  return [
    ...(/^[1-9]\d*:[1-9]\d*$/.test(config.User) ? [] : [`CIS-DI-0001 ${config.User}`]),
    ...(config.Healthcheck.Test[0] === 'CMD' ? [] : ['CIS-DI-0006']),
    ...paths.filter((path) => (modeOf(path) & 0o6000) !== 0).map((path) => `CIS-DI-0008 ${path}`),
    ...config.Env.filter((entry) => /^\w*(?:PASSW|SECRET|TOKEN|KEY)\w*=/i.test(entry)).map(
      (entry) => `CIS-DI-0010 ${entry}`,
    ),
    ...paths.filter((path) => MANAGERS.test(nameOf(path))).map((path) => `DKL-DI-0001, DKL-DI-0005 ${path}`),
    ...Object.keys(config.Volumes)
      .filter((path) => SYSTEM.includes(path))
      .map((path) => `DKL-DI-0002 ${path}`),
    ...users.filter(([, password]) => password === '').map(([user]) => `DKL-LI-0001 ${user}`),
    ...(isTwice(users.map(([, , id]) => id)) || isTwice(users.map(([user]) => user)) ? ['DKL-LI-0002'] : []),
    ...paths.filter((path) => LEFT_OVER.test(path)).map((path) => `DKL-LI-0003 ${path}`),
    // of our own
    ...paths.filter((path) => SHELLS.test(nameOf(path))).map((path) => `a shell: ${path}`),
    ...paths
      .filter((path) => (modeOf(path) & 0o002) !== 0 && !isSticky(modeOf(path)))
      .map((path) => `open to all: ${path}`),
  ]
}

const nameOf = (path: string) => path.split('/').at(-1) ?? ''
const isSticky = (mode: number) => (mode & 0o1000) !== 0
