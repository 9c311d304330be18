import { type Ingredients, plain, present, type Recipe } from './recipe.ts'

const IMAGE = 'python:3.13-slim-bookworm'
const UV = 'COPY --from=ghcr.io/astral-sh/uv:0.13 /uv /uvx /usr/local/bin/'
const pip = (program: string) => `RUN pip install --no-cache-dir ${program}`

/** What a tool that installs packages makes of a folder. All of them make `.venv` there, so that any command finds it. */
type Installed = Pick<Recipe, 'tools' | 'manifests' | 'install' | 'finish'> & {
  readonly environment?: Readonly<Record<string, string>>
}

/** A service in Python, with an environment of its own where it depends on something. */
export function pythonRecipe(given: Ingredients): Recipe {
  const { words, place } = given
  const [tool = ''] = words
  const installed = installedBy(given)
  const isElsewhere = tool.startsWith('venv/')
  // what speaks HTTP for Python listens on loopback unless it is told otherwise
  const environment = { UVICORN_HOST: '0.0.0.0', FLASK_RUN_HOST: '0.0.0.0' }
  const base = { ...plain(IMAGE), environment, ignored: ['**/.venv', '**/venv', '**/__pycache__'] }
  if (!installed) return base
  return {
    ...base,
    ...installed,
    finish: [...installed.finish, ...(isElsewhere ? ['RUN ln -s .venv venv'] : [])],
    runsByTools: /^(?:uvx?|poetry|pipenv)$/.test(tool),
    environment: {
      ...environment,
      ...installed.environment,
      PATH: `${place.replaceAll(/[\\$"']/g, String.raw`\$&`)}/.venv/bin:$PATH`,
    },
  }
}

function installedBy(given: Ingredients): Installed | undefined {
  const { words, folder } = given
  const [tool] = words
  if (tool === 'uv' || folder.has('uv.lock')) return byUv(given)
  if (tool === 'poetry' || folder.has('poetry.lock')) return byPoetry(given)
  if (tool === 'pipenv' || folder.has('Pipfile.lock')) return byPipenv(given)
  if (folder.has('requirements.txt')) return byPip(given)
  if (folder.has('Pipfile')) return byPipenv(given)
  if (folder.has('pyproject.toml')) return byProject(given)
  return folder.has('setup.py')
    ? {
        tools: [],
        manifests: [],
        install: [],
        finish: ['RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir .'],
      }
    : undefined
}

function byUv(given: Ingredients): Installed {
  const sync = `RUN uv sync --no-dev --no-cache${given.folder.has('uv.lock') ? ' --locked' : ''}`
  return {
    tools: [UV],
    manifests: present(given, ['pyproject.toml', 'uv.lock', '.python-version']),
    install: [`${sync} --no-install-project`],
    finish: [sync],
    // it runs by what is installed, and asks nobody
    environment: { UV_NO_SYNC: '1', UV_PYTHON_DOWNLOADS: 'never' },
  }
}

const POETRY = [pip('poetry==2.5.1'), 'ENV POETRY_VIRTUALENVS_IN_PROJECT=true POETRY_NO_INTERACTION=1']

function byPoetry(given: Ingredients): Installed {
  return {
    tools: POETRY,
    manifests: present(given, ['pyproject.toml', 'poetry.lock', 'poetry.toml']),
    install: ['RUN poetry install --only main --no-root --no-cache'],
    finish: isPackage(given) ? ['RUN poetry install --only-root --no-cache'] : [],
  }
}

/** Whether the project itself is a package, which others find by its name. */
function isPackage({ folder }: Ingredients): boolean {
  const text = folder.text('pyproject.toml')
  const name = /^name[ \t]{0,8}=[ \t]{0,8}["']([\w.-]{1,128})["']/m.exec(text)?.[1]?.replaceAll(/[-.]/g, '_')
  if (/^package-mode\s{0,8}=\s{0,8}false/m.test(text) || name === undefined) return false
  return [name, `src/${name}`, `${name}.py`].some((path) => folder.has(path)) || /^packages\s{0,8}=/m.test(text)
}

function byPipenv(given: Ingredients): Installed {
  return {
    tools: [pip('pipenv==2026.10.3'), 'ENV PIPENV_VENV_IN_PROJECT=1'],
    manifests: present(given, ['Pipfile', 'Pipfile.lock']),
    install: [`RUN pipenv ${given.folder.has('Pipfile.lock') ? 'sync' : 'install'}`],
    finish: [],
  }
}

function byPip({ folder }: Ingredients): Installed {
  const install = ['RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.txt']
  // it may name other files, or the folder itself
  const isAlone = !/^\s{0,8}(?:-[rce]|--(?:requirement|constraint|editable)|\.)/m.test(folder.text('requirements.txt'))
  return {
    tools: [],
    manifests: isAlone ? ['requirements.txt'] : [],
    install: isAlone ? install : [],
    finish: isAlone ? [] : install,
  }
}

/** What pyproject.toml wants, without a file that says which versions of it. */
function byProject(given: Ingredients): Installed {
  const text = given.folder.text('pyproject.toml')
  if (text.includes('[tool.poetry.dependencies]') && !/^dependencies\s{0,8}=/m.test(text)) return byPoetry(given)
  return {
    tools: [UV],
    manifests: ['pyproject.toml'],
    install: ['RUN uv venv .venv && uv pip install --no-cache -r pyproject.toml'],
    finish: [],
  }
}
