import type { OwnService } from '../../../kit/config/own-service.ts'
import type { Folder } from '../../init/folder.ts'

/** What a service is made of. */
export type Language = 'node' | 'python' | 'go' | 'rust' | 'java' | 'dotnet' | 'php' | 'ruby' | 'other'

/** By which an image of a service is made. */
export interface Stack {
  readonly language: Language
  /** Whether its command is a tool of the language, so that it has to be in the image too; a program that was built runs without. */
  readonly isTool: boolean
  /** Files of its folder that say what it depends on, such as `package-lock.json`: what is installed by them is kept while they are as they are. */
  readonly manifests: readonly string[]
}

/** First words of commands. */
const TOOLS: readonly (readonly [Language, RegExp])[] = [
  ['node', /^(?:node|npm|npx|pnpm|yarn)$/],
  ['python', /^(?:python3?|uv|poetry|pipenv|flask|uvicorn|gunicorn|hypercorn|streamlit|\.?venv\/bin\/\S+)$/],
  ['go', /^go$/],
  ['rust', /^cargo$/],
  ['java', /^(?:java|mvn|\.\/mvnw|gradle|\.\/gradlew)$/],
  ['dotnet', /^dotnet$/],
  ['php', /^php$/],
  ['ruby', /^(?:ruby|bundle|rackup|rails|bin\/rails)$/],
]
/** Files that say what a service is made of, where its command doesn't. */
const SIGNS: readonly (readonly [Language, readonly string[]])[] = [
  ['go', ['go.mod']],
  ['rust', ['Cargo.toml']],
  ['java', ['pom.xml', 'build.gradle', 'build.gradle.kts']],
  ['node', ['package.json']],
  ['python', ['pyproject.toml', 'requirements.txt', 'Pipfile']],
  ['php', ['composer.json']],
  ['ruby', ['Gemfile']],
]
/** What says what is to be installed, in the order in which it counts. */
const MANIFESTS: Readonly<Record<Language, readonly string[]>> = {
  node: ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock'],
  python: ['requirements.txt', 'pyproject.toml', 'uv.lock', 'poetry.lock', 'Pipfile', 'Pipfile.lock'],
  go: ['go.mod', 'go.sum'],
  rust: ['Cargo.toml', 'Cargo.lock'],
  java: ['pom.xml', 'build.gradle', 'build.gradle.kts'],
  dotnet: [],
  php: ['composer.json', 'composer.lock'],
  ruby: ['Gemfile', 'Gemfile.lock'],
  other: [],
}

/** Tells what a service is made of by the first word of its command, else by what is in its folder. */
export function stackOf({ run, build }: Pick<OwnService, 'run' | 'build'>, folder: Pick<Folder, 'has'>): Stack {
  const tool = languageOf(run)
  const sign = SIGNS.find(([, files]) => files.some((file) => folder.has(file)))?.[0]
  const language = tool ?? (build === undefined ? undefined : languageOf(build)) ?? sign ?? 'other'
  return { language, isTool: tool !== undefined, manifests: MANIFESTS[language].filter((file) => folder.has(file)) }
}

function languageOf(command: OwnService['run']): Language | undefined {
  const words = typeof command === 'string' ? command.trim().split(/\s+/) : command
  // VAR=value before a command
  const first = words.find((word) => !/^\w+=/.test(word) && word !== 'exec') ?? ''
  return TOOLS.find(([, names]) => names.test(first))?.[0]
}
