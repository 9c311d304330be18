import type { ServicePart } from '../deployment.ts'
import { wordsOf } from './recipe.ts'

/** What listens on loopback unless it is told otherwise, and takes that from no variable. */
const LOOPBACK_TOOLS: readonly (readonly [RegExp, RegExp])[] = [
  [/\b(?:vite|astro|ng serve|webpack serve)\b/, /--host\b/],
  [/\bmanage\.py runserver\b/, /runserver\s+\S*:/],
  [/\brackup\b/, /(?:^|\s)(?:-o|--host)\b/],
  [/\bhypercorn\b/, /(?:^|\s)(?:-b|--bind)\b/],
]
const LOOPBACK = /\b127\.\d+\.\d+\.\d+\b|\blocalhost\b|\[::1\]/
/** What compiles first, each time that it is started. */
const COMPILES =
  /^(?:go run|cargo run|(?:mvn|\.\/mvnw|gradle|\.\/gradlew)\b.*\b(?:spring-boot:run|bootRun|exec:java|quarkus:?dev|run)|dotnet (?:run|watch))\b/i
/** What watches files for who works on them. */
const WATCHES =
  /\b(?:nodemon|tsx watch|ts-node-dev|vite|next dev|nuxt dev|astro dev|nest start|ng serve)\b|\s--(?:watch|reload|debug)\b/

/** What of a service's command doesn't go well with a container, a sentence each, for whoever deploys it. */
export function remarksOn({ name, own }: Pick<ServicePart, 'name' | 'own'>): readonly string[] {
  const line = wordsOf(own.run).join(' ')
  const isLoopback = LOOPBACK.test(line) || LOOPBACK_TOOLS.some(([tool, flag]) => tool.test(line) && !flag.test(line))
  return [
    ...(isLoopback && own.ready.by !== 'none'
      ? [
          `services.${name}.run listens on loopback, where nobody outside of its container reaches it: have it listen on $HOST, which msvc sets`,
        ]
      : []),
    ...(COMPILES.test(line)
      ? [
          `services.${name}.run compiles at each start, which takes memory and time in a container: say how in build, and have run start what it makes`,
        ]
      : []),
    ...(WATCHES.test(line)
      ? [
          `services.${name}.run is for who works on it, and writes to its own folder, which a container may not: have run start what is finished, and build make it`,
        ]
      : []),
  ]
}
