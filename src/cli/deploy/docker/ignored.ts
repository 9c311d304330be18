import type { Deployment, ServicePart } from '../deployment.ts'

/** In any folder. */
const ANYWHERE = ['.git', '.msvc', '.env*', 'secrets', 'node_modules', '.venv', '__pycache__', '*.log']

/** What of the folder of the file is no part of a service's image: BuildKit reads it beside the Dockerfile (https://docs.docker.com/build/concepts/context/#dockerignore-files). */
export function ignoredBy(
  { fileName, folder, privatePaths }: Pick<Deployment, 'fileName' | 'folder' | 'privatePaths'>,
  { recipe }: Pick<ServicePart, 'recipe'>,
): string {
  const deployed = folder.startsWith('deploy/') ? 'deploy' : folder
  const ours = [fileName, ...privatePaths, deployed].filter((path) => !/^(?:\.$|\.\.|\/)/.test(path)).map(pattern)
  const patterns = [...ANYWHERE.map((name) => `**/${name}`), ...recipe.ignored]
  return `# what is no part of the image: history, secrets, and what is made anew in it
${[...new Set(patterns)].join('\n')}
# msvc.yaml is mounted; where a platform keeps its data and keys, and what is shipped
${[...new Set([...ours, '*.tar'])].join('\n')}
`
}

/** A path as such a file has it for itself alone: its rules are those of https://pkg.go.dev/path/filepath#Match, a line each. */
function pattern(path: string): string {
  return path.replaceAll(/[\\*?[\]!#]/g, String.raw`\$&`).replaceAll(/\p{Cc}/gu, '?')
}
