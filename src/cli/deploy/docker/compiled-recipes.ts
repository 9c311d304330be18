import { VOLUME } from '../container.ts'
import { DEBIAN, type Ingredients, plain, present, type Recipe } from './recipe.ts'

/** A program in Go; what was built needs no Go. */
export function goRecipe(given: Ingredients): Recipe {
  const { words, folder, isBuilt } = given
  const isTool = words[0] === 'go'
  if (!isTool && !isBuilt) return plain(DEBIAN)
  const text = folder.text('go.mod')
  // modules that lie in the folder aren't there by go.mod alone
  const isDownloaded = folder.has('go.mod') && !folder.has('vendor/modules.txt') && !/=>\s{0,8}\.{1,2}\//.test(text)
  return {
    ...plain('golang:1.25-bookworm'),
    runtime: isTool ? 'golang:1.25-bookworm' : DEBIAN,
    manifests: isDownloaded ? present(given, ['go.mod', 'go.sum']) : [],
    install: isDownloaded ? ['RUN go mod download'] : [],
    // the one folder that can be written, and programs be run in
    environment: isTool ? { GOCACHE: `${VOLUME}/go-build`, GOTMPDIR: VOLUME, GOFLAGS: '-buildvcs=false' } : {},
  }
}

/** What cargo leaves beside the programs that it builds, for the next time. */
const LEFT_BY_CARGO = ['deps', 'build', 'incremental', 'examples', '.fingerprint']

/** A program in Rust; what was built needs no cargo. */
export function rustRecipe({ words, isBuilt }: Ingredients): Recipe {
  const isTool = words[0] === 'cargo'
  if (!isTool && !isBuilt) return plain(DEBIAN)
  const names = LEFT_BY_CARGO.map((name) => `-name ${name}`).join(' -o ')
  return {
    ...plain('rust:1.90-bookworm'),
    runtime: isTool ? 'rust:1.90-bookworm' : DEBIAN,
    finish: ['RUN cargo fetch'],
    trim: isTool
      ? []
      : [
          `RUN [ ! -d target ] || find target -mindepth 2 -maxdepth 3 -type d \\( ${names} \\) -prune -exec rm -rf {} +`,
        ],
    environment: isTool ? { CARGO_TARGET_DIR: `${VOLUME}/target`, CARGO_NET_OFFLINE: 'true' } : {},
    ignored: ['**/target'],
  }
}

const MAVEN = 'maven:3.9-eclipse-temurin-21'
const GRADLE = 'gradle:8-jdk21'
const JAVA = 'eclipse-temurin:21-jre-noble'

/** A program for the JVM by Maven or Gradle; what was built needs the JVM alone. */
export function javaRecipe(given: Ingredients): Recipe {
  const { words, folder, isBuilt } = given
  // it has no entry for the user of the container, whose home it looks for
  const environment = { JAVA_TOOL_OPTIONS: '-Duser.home=/tmp' }
  if (words[0] === 'java' && !isBuilt) return { ...plain(JAVA), environment }
  const image = folder.has('pom.xml') ? MAVEN : GRADLE
  const isModule = folder.has('pom.xml') && !/<modules>|<relativePath>\s{0,8}\.\./.test(folder.text('pom.xml'))
  return {
    ...plain(image),
    runtime: words[0] === 'java' ? JAVA : image,
    manifests: isModule ? ['pom.xml'] : [],
    install: isModule ? ['RUN mvn --batch-mode dependency:go-offline'] : [],
    environment,
    ignored: folder.has('pom.xml') ? ['**/target'] : ['**/.gradle', '**/build'],
  }
}

const DOTNET_SDK = 'mcr.microsoft.com/dotnet/sdk:9.0'
const DOTNET = 'mcr.microsoft.com/dotnet/aspnet:9.0'

/** A program for .NET; what was built needs the runtime alone. */
export function dotnetRecipe(given: Ingredients): Recipe {
  const { words, folder, isBuilt } = given
  const [tool, second = ''] = words
  const isTool = tool === 'dotnet' && !second.endsWith('.dll')
  const environment = { DOTNET_CLI_HOME: '/tmp', DOTNET_NOLOGO: 'true' }
  if (!isTool && !isBuilt) return { ...plain(DOTNET), environment }
  const projects = folder.names().filter(isDotnetProject)
  return {
    ...plain(DOTNET_SDK),
    runtime: isTool ? DOTNET_SDK : DOTNET,
    manifests: projects,
    install: projects.map((project) => `RUN ["dotnet", "restore", ${JSON.stringify(project)}]`),
    environment,
    ignored: ['**/bin', '**/obj'],
  }
}

/** Whether a file says how a program for .NET is built. */
export function isDotnetProject(name: string): boolean {
  return /\.(?:cs|fs|vb)proj$/.test(name)
}
