import { type Ingredients, plain, present, type Recipe } from './recipe.ts'

/** A service in PHP, with what its composer.json wants. */
export function phpRecipe(given: Ingredients): Recipe {
  const base = { ...plain('php:8.4-cli-bookworm'), environment: { SERVER_HOST: '0.0.0.0' }, ignored: ['**/vendor'] }
  if (!given.folder.has('composer.json')) return base
  return {
    ...base,
    tools: [
      'COPY --from=composer:2 /usr/bin/composer /usr/local/bin/composer',
      // it unpacks what it installs
      'RUN apt-get update && apt-get install -y --no-install-recommends unzip && rm -rf /var/lib/apt/lists/*',
      'ENV COMPOSER_ALLOW_SUPERUSER=1',
    ],
    manifests: present(given, ['composer.json', 'composer.lock']),
    install: ['RUN composer install --no-dev --no-interaction --no-scripts --no-autoloader'],
    finish: ['RUN composer dump-autoload --no-dev --no-interaction --optimize'],
  }
}

/** A service in Ruby, with the gems of its Gemfile. */
export function rubyRecipe(given: Ingredients): Recipe {
  const { folder } = given
  const gems = folder.text('Gemfile')
  const lines = folder.has('Gemfile') ? ['RUN bundle install'] : []
  // gems that lie in the folder aren't there by the Gemfile alone
  const isEarly = !/^\s{0,16}gemspec\b|\bpath:|:path\b/m.test(gems)
  return {
    ...plain('ruby:3.4-bookworm'),
    manifests: isEarly ? present(given, ['Gemfile', 'Gemfile.lock', '.ruby-version', '.tool-versions']) : [],
    install: isEarly ? lines : [],
    finish: isEarly ? [] : lines,
    environment: { BINDING: '0.0.0.0' },
    ignored: ['**/.bundle'],
  }
}
