import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** PEM files of a test's own: who signs, and what he signed for a server on this machine and for a client of it. */
export interface Certificates {
  readonly ca: string
  readonly server: { readonly cert: string; readonly key: string }
  readonly client: { readonly cert: string; readonly key: string }
}

/** Makes them in a folder, valid for a day (openssl). */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const at = (name: string) => join(folder, name)
  const make = (name: string, ...more: readonly string[]) =>
    run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
      ...['-subj', `/CN=msvc ${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), ...more],
    ])
  await make('ca')
  const signed = async (name: string, usage: string) => {
    const extensions = at(`${name}.cnf`)
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
    await writeFile(
      extensions,
      `[req]\ndistinguished_name=dn\n[dn]\n[own]\nbasicConstraints=CA:FALSE\n${names}\nextendedKeyUsage=${usage}\n`,
    )
    const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')]
    await make(name, ...by, '-config', extensions, '-extensions', 'own')
    return { cert: at(`${name}.pem`), key: at(`${name}.key`) }
  }
  const [server, client] = [await signed('server', 'serverAuth'), await signed('client', 'clientAuth')]
  return { ca: at('ca.pem'), server, client }
}
