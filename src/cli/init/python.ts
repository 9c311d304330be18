import type { Folder, Found } from './folder.ts'

const MAINS = ['main.py', 'app.py', 'server.py', 'app/main.py', 'src/main.py', 'wsgi.py', 'asgi.py']
/** `app = FastAPI(…)`: the name of an application in a module. */
const application = (kind: string) =>
  new RegExp(String.raw`^(\w{1,64})(?:: ?\w{1,64})? ?= ?(?:\w{1,64}\.)?${kind}\(`, 'm')
const ASGI = application('(?:FastAPI|Starlette|Litestar|Quart)')
const WSGI = application('Flask')

/** A folder of Python: Django by its manage.py, FastAPI and Flask by where their application is, else a main file. */
export function findPython(folder: Folder): readonly Found[] {
  const manifests = ['pyproject.toml', 'requirements.txt', 'Pipfile', 'setup.py'].filter((file) => folder.has(file))
  const prefix = prefixOf(folder)
  const python = prefix.endsWith('/') ? `${prefix}python` : `${prefix}python3`
  const notes =
    manifests.length > 0 && prefix === ''
      ? ['It runs with the packages of python3 on the PATH; .venv/bin/ before the command takes those of a .venv.']
      : []
  if (folder.has('manage.py')) {
    return [{ because: 'manage.py is there', run: `${python} manage.py runserver $HOST:$PORT`, notes }]
  }
  for (const file of MAINS) {
    if (!folder.has(file)) continue
    const text = folder.text(file)
    const module = file.slice(0, -3).replaceAll('/', '.')
    const asgi = ASGI.exec(text)?.[1]
    if (asgi !== undefined) {
      return [
        {
          because: `${file} has an ASGI application`,
          run: `${prefix}uvicorn ${module}:${asgi} --host $HOST --port $PORT`,
          notes,
        },
      ]
    }
    const wsgi = WSGI.exec(text)?.[1]
    if (wsgi !== undefined) {
      return [
        {
          because: `${file} has a Flask application`,
          run: `${prefix}flask --app ${module}:${wsgi} run --host $HOST --port $PORT`,
          notes,
        },
      ]
    }
  }
  if (/\bstreamlit\b/.test(manifests.map((file) => folder.text(file)).join('\n'))) {
    const file = MAINS.find((name) => folder.has(name))
    if (file)
      return [
        {
          because: 'streamlit is wanted',
          run: `${prefix}streamlit run ${file} --server.address $HOST --server.port $PORT`,
          notes,
        },
      ]
  }
  const main = MAINS.find((file) => folder.has(file)) ?? onlyScript(folder)
  if (main === undefined) return []
  const because = manifests[0] === undefined ? `${main} is there` : `${manifests[0]} is there, and ${main}`
  return [{ because, run: `${python} ${main}`, notes }]
}

/** The folder's one script, which then is what runs. */
function onlyScript(folder: Folder): string | undefined {
  const scripts = folder
    .names()
    .filter((name) => name.endsWith('.py') && !/^(?:setup|conftest|__init__|test_.*)\.py$/.test(name))
  return scripts.length === 1 ? scripts[0] : undefined
}

/** What stands before a command so that it finds the folder's own packages. */
function prefixOf(folder: Folder): string {
  for (const environment of ['.venv', 'venv']) if (folder.has(`${environment}/bin`)) return `${environment}/bin/`
  if (folder.has('uv.lock')) return 'uv run '
  if (folder.has('poetry.lock')) return 'poetry run '
  return folder.has('Pipfile.lock') ? 'pipenv run ' : ''
}
