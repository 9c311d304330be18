import type { Folder, Found } from './folder.ts'

/** A Go module: its main package, or each of those in cmd/. */
export function findGo(folder: Folder): readonly Found[] {
  if (!folder.has('go.mod')) return []
  const name = /^module[ \t]{1,8}(\S{1,256})/m
    .exec(folder.text('go.mod'))?.[1]
    ?.split('/')
    .findLast((part) => !/^v\d+$/.test(part))
  if (isMain(folder, '.'))
    return [{ because: 'go.mod is there, and a main package', run: 'go run .', ...(name && { name }) }]
  return folder
    .names('cmd')
    .filter((command) => isMain(folder, `cmd/${command}`))
    .map((command) => ({
      because: `go.mod is there, and cmd/${command}`,
      run: `go run ./cmd/${command}`,
      name: command,
    }))
}

function isMain(folder: Folder, path: string): boolean {
  return folder
    .names(path)
    .filter((file) => file.endsWith('.go') && !file.endsWith('_test.go'))
    .slice(0, 32)
    .some((file) => /^package[ \t]{1,8}main\b/m.test(folder.text(`${path}/${file}`)))
}

/** A Rust package with a program; a workspace's members are folders of their own. */
export function findRust(folder: Folder): readonly Found[] {
  if (!folder.has('Cargo.toml')) return []
  const text = folder.text('Cargo.toml')
  if (!folder.has('src/main.rs') && !text.includes('[[bin]]')) return []
  const name = /^\[package\][^[]{0,4096}?^name[ \t]{0,8}=[ \t]{0,8}"([^"\n]{1,128})"/m.exec(text)?.[1]
  return [{ because: 'Cargo.toml is there, and a program', run: 'cargo run', ...(name && { name }) }]
}

/** A project of Maven or Gradle, by the framework that it wants. */
export function findJava(folder: Folder): readonly Found[] {
  const maven = folder.has('pom.xml')
  const file = maven ? 'pom.xml' : ['build.gradle', 'build.gradle.kts'].find((name) => folder.has(name))
  if (file === undefined) return []
  const text = folder.text(file)
  const tool = maven ? (folder.has('mvnw') ? './mvnw' : 'mvn') : folder.has('gradlew') ? './gradlew' : 'gradle'
  // of several modules; each is a folder of its own
  if (text.includes('<modules>') || (!maven && text === '')) return []
  if (/spring-?boot/i.test(text)) {
    const run = maven
      ? `${tool} spring-boot:run -Dspring-boot.run.arguments=--server.port=$PORT`
      : `${tool} bootRun --args=--server.port=$PORT`
    return [{ because: `${file} wants Spring Boot`, run }]
  }
  if (text.includes('quarkus')) {
    const run = `${tool} ${maven ? 'quarkus:dev' : 'quarkusDev'} -Dquarkus.http.port=$PORT`
    return [{ because: `${file} wants Quarkus`, run }]
  }
  const notes = ['It has to listen on PORT of its environment.']
  if (!maven) {
    const runs = /\bapplication\b/.test(text)
    return runs ? [{ because: `${file} has the plugin application`, run: `${tool} run`, notes }] : []
  }
  return text.includes('exec-maven-plugin')
    ? [{ because: `${file} has exec-maven-plugin`, run: `${tool} compile exec:java`, notes }]
    : []
}

/** A .NET project that runs: of the web or a worker by its SDK, else by its kind of output. */
export function findDotnet(folder: Folder): readonly Found[] {
  return folder
    .names()
    .filter((name) => /\.(?:cs|fs|vb)proj$/.test(name))
    .flatMap((file): readonly Found[] => {
      const text = folder.text(file)
      const name = file.slice(0, -'.csproj'.length)
      const project =
        folder.names().filter((other) => /\.(?:cs|fs|vb)proj$/.test(other)).length > 1 ? ` --project ${file}` : ''
      if (text.includes('Microsoft.NET.Sdk.Web')) {
        return [{ because: `${file} is of the web`, run: `dotnet run${project} --urls http://$HOST:$PORT`, name }]
      }
      const isWorker = text.includes('Microsoft.NET.Sdk.Worker')
      if (!isWorker && !/<OutputType>\s{0,8}(?:Win)?Exe\b/i.test(text)) return []
      return [
        {
          because: `${file} is a ${isWorker ? 'worker' : 'program'}`,
          run: `dotnet run${project}`,
          name,
          ready: 'none',
        },
      ]
    })
}
