import type { Command } from 'commander'
import type { ImageFlags } from '../deploy/image/write-image.ts'
import { KINDS } from '../deploy/kinds.ts'
import type { DeployFlags } from '../deploy/write-deployment.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc deploy docker
  $ msvc deploy docker --config shop.yaml --out /srv/shop --scale front=3`

const SAME =
  'It comes from the same file as msvc up. Run again, it writes over what nobody has changed since, and shows and asks what of yours it would change. Secrets are made once, and stay.'

const IMAGE_EXAMPLES = `
Examples:
  $ msvc deploy image msvc.tar && docker load -i msvc.tar
  $ msvc deploy image - | podman load
  $ msvc deploy image msvc.tar --tag registry.example/msvc:1.0
  $ skopeo copy docker-archive:msvc.tar docker://registry.example/msvc:1.0`

/** `msvc deploy`: what runs the platform elsewhere, as a person would have written it. */
export function addDeploy(program: Command, open: OpenSession): void {
  const deploy = program
    .command('deploy')
    .summary('write what runs the platform elsewhere')
    .description(
      `Writes the files by which the platform of this configuration, your services included, runs elsewhere. ${SAME}`,
    )
    .addHelpText('after', EXAMPLES)
  deploy
    .command('image')
    .summary('an image for containers, without an engine')
    .description(
      "Writes an image of this program into one file, which docker, podman and skopeo load: the program, the libraries that it needs (this machine's), user 10001, no shell. Needs no container engine and no network.",
    )
    .argument('<file>', 'where to, such as msvc.tar; - for stdout')
    .option('--tag <name>', 'what it is called (default: msvc and this version)')
    .option('--program <file>', 'the executable to put into it (default: this one)')
    .option('--force', 'replace a file that is there already')
    .addHelpText('after', IMAGE_EXAMPLES)
    .action(async (file: string, flags: ImageFlags, command: Command) => {
      const { writeImage } = await import('../deploy/image/write-image.ts')
      await writeImage(open(command), file, flags)
    })
  for (const kind of KINDS) {
    const command = deploy
      .command(kind.name)
      .summary(kind.summary)
      .description(`${kind.description} ${SAME}`)
      .option('--out <folder>', `where they are written (default: deploy/${kind.name})`)
      .option('--scale <name=replicas...>', 'how many of a role or service, such as user=2; kept for next time')
      .option('--force', 'say yes to every question, and write over what others wrote')
      .option('--diff', 'only show what would change; exit code 1 if anything would')
    if (kind.hasImages) command.option('--image <name>', "the platform's image; services' are beside it, with its tag")
    command.addHelpText('after', kind.examples).action(async (flags: DeployFlags, own: Command) => {
      const { writeDeployment } = await import('../deploy/write-deployment.ts')
      await writeDeployment(open(own), kind, flags)
    })
  }
}
