import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc keys new --out secrets/signing.json
  $ msvc keys new | docker secret create msvc-key -
  $ MSVC_KEY_FILE=/run/secrets/msvc-key msvc serve user`

/** `msvc keys`: the keys that a platform's tokens are signed with, where they don't lie in its data folder. */
export function addKeys(program: Command, open: OpenSession): void {
  const keys = program
    .command('keys')
    .summary('keys for machines that share no data folder')
    .description(
      'The key that tokens are signed with lies in the data folder, which makes it on its own. Where roles share none, as in containers, all of them are given one file instead: auth.key_file, or MSVC_KEY_FILE.',
    )
    .addHelpText('after', EXAMPLES)
  keys
    .command('new')
    .summary('make a key')
    .description(
      'Makes a key pair (a JWK for ES256), alone on stdout, or with --out in a new file for this user alone. Whoever has it can sign tokens. To change keys, put several into one file, {"keys": [new, old]}: the first signs, all are believed. A role that runs sees the change within 5 s; where files change one after the other, put the new key last until all have it.',
    )
    .option('--out <file>', 'where it is kept; a file that is there is left as it is')
    .addHelpText('after', EXAMPLES)
    .action(async ({ out }: { readonly out?: string }, command: Command) => {
      const session = open(command)
      const { makeKeyFile } = await import('../../kit/auth/key-files.ts')
      const text = await makeKeyFile()
      if (out === undefined) {
        session.print(text.trimEnd())
        session.printJson(JSON.parse(text))
        return
      }
      const path = resolve(session.io.folder, out)
      const [{ createPrivateFile }, { AppError }] = await Promise.all([
        import('../../kit/auth/private-files.ts'),
        import('../../kit/errors.ts'),
      ])
      if (!(await createPrivateFile(path, text)))
        throw new AppError('CONFLICT', `${path} is there already, and is left as it is; name another file`)
      session.messages.success(`${path} has a new key; keep it as you would a password`)
      session.printJson({ file: path })
    })
}
