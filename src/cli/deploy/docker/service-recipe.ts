import type { OwnService } from '../../../kit/config/own-service.ts'
import type { Folder } from '../../init/folder.ts'
import { dotnetRecipe, goRecipe, isDotnetProject, javaRecipe, rustRecipe } from './compiled-recipes.ts'
import { nodeRecipe } from './node-recipe.ts'
import { pythonRecipe } from './python-recipe.ts'
import { DEBIAN, type Ingredients, plain, type Recipe, wordsOf } from './recipe.ts'
import { phpRecipe, rubyRecipe } from './scripted-recipes.ts'

/** What a service is made of. */
type Language = 'node' | 'python' | 'go' | 'rust' | 'java' | 'dotnet' | 'php' | 'ruby'

/** First words of commands. */
const TOOLS: readonly (readonly [Language, RegExp])[] = [
  ['node', /^(?:node|npm|npx|pnpm|yarn|bunx?)$/],
  [
    'python',
    /^(?:python3?|uvx?|poetry|pipenv|flask|uvicorn|gunicorn|hypercorn|granian|celery|streamlit|\.?venv\/bin\/\S+)$/,
  ],
  ['go', /^go$/],
  ['rust', /^cargo$/],
  ['java', /^(?:java|mvn|\.\/mvnw|gradle|\.\/gradlew)$/],
  ['dotnet', /^dotnet$/],
  ['php', /^(?:php|composer)$/],
  ['ruby', /^(?:ruby|bundle|rackup|rails|(?:\.\/)?bin\/rails)$/],
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
const RECIPES: Readonly<Record<Language, (given: Ingredients) => Recipe>> = {
  node: nodeRecipe,
  python: pythonRecipe,
  go: goRecipe,
  rust: rustRecipe,
  java: javaRecipe,
  dotnet: dotnetRecipe,
  php: phpRecipe,
  ruby: rubyRecipe,
}

/** Tells how the image of a service is made, by the first word of its command, else by what is in its folder. @param place where that is in the image */
export function recipeOf(
  { run, build }: Pick<OwnService, 'run' | 'build'>,
  folder: Ingredients['folder'],
  place: string,
): Recipe {
  const language = byCommand(run) ?? (build === undefined ? undefined : byCommand(build)) ?? byFolder(folder)
  if (language === undefined) return plain(DEBIAN)
  return RECIPES[language]({ words: wordsOf(run), isBuilt: build !== undefined, folder, place })
}

function byCommand(command: OwnService['run']): Language | undefined {
  const [first = ''] = wordsOf(command)
  return TOOLS.find(([, names]) => names.test(first))?.[0]
}

function byFolder(folder: Pick<Folder, 'has' | 'names'>): Language | undefined {
  const sign = SIGNS.find(([, files]) => files.some((file) => folder.has(file)))?.[0]
  return sign ?? (folder.names().some(isDotnetProject) ? 'dotnet' : undefined)
}
