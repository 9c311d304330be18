import type { Folder, Found } from './folder.ts'

/** A folder with a Gemfile: Rails, what config.ru says, else a main file. */
export function findRuby(folder: Folder): readonly Found[] {
  if (!folder.has('Gemfile')) return []
  const gems = folder.text('Gemfile')
  if (folder.has('bin/rails') || /^\s{0,16}gem ["']rails["']/m.test(gems)) {
    return [{ because: 'the Gemfile wants Rails', run: 'bundle exec rails s -b $HOST -p $PORT' }]
  }
  if (folder.has('config.ru')) return [{ because: 'config.ru is there', run: 'bundle exec rackup -o $HOST -p $PORT' }]
  const main = ['app.rb', 'main.rb', 'server.rb'].find((file) => folder.has(file))
  return main ? [{ because: `a Gemfile is there, and ${main}`, run: `bundle exec ruby ${main}` }] : []
}

/** A folder with a composer.json: Laravel, else PHP's own server on its public folder. */
export function findPhp(folder: Folder): readonly Found[] {
  if (!folder.has('composer.json')) return []
  if (folder.has('artisan'))
    return [{ because: 'artisan is there', run: 'php artisan serve --host=$HOST --port=$PORT' }]
  const root = ['public', 'web'].find((name) => folder.has(`${name}/index.php`))
  if (root) return [{ because: `${root}/index.php is there`, run: `php -S $HOST:$PORT -t ${root}` }]
  return folder.has('index.php') ? [{ because: 'index.php is there', run: 'php -S $HOST:$PORT' }] : []
}

const LINE = /^([A-Za-z0-9_-]{1,64}):[ \t]{0,16}(\S.*)$/

/** Each line of a Procfile but `release`, which is for deployments; the one for development where there are two. */
export function findProcfile(folder: Folder): readonly Found[] {
  const file = ['Procfile.dev', 'Procfile'].find((name) => folder.has(name))
  if (file === undefined) return []
  return folder
    .text(file)
    .split(/\r?\n/)
    .flatMap((line): readonly Found[] => {
      const [, name, run] = LINE.exec(line.trim()) ?? []
      if (name === undefined || run === undefined || name === 'release') return []
      // foreman's rule: only `web` is asked for on its port
      const isWeb = name === 'web' || run.includes('$PORT') || run.includes('${PORT')
      return [{ because: `${file} has the line ${name}`, run, name, ...(!isWeb && { ready: 'none' }) }]
    })
}
