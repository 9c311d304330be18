import type { Language, Stack } from './service-stack.ts'

/** What services of a language are built and run on. */
interface Toolchain {
  /** All of glibc, which msvc wants. */
  readonly image: string
  /** Whether it lacks the certificates that calls to elsewhere want. */
  readonly isSlim: boolean
}

/** By language. */
export const TOOLCHAINS: Readonly<Record<Language, Toolchain>> = {
  node: { image: 'node:24.16-bookworm-slim', isSlim: true },
  python: { image: 'python:3.13-slim-bookworm', isSlim: false },
  go: { image: 'golang:1.25-bookworm', isSlim: false },
  rust: { image: 'rust:1.90-bookworm', isSlim: false },
  java: { image: 'maven:3.9-eclipse-temurin-21', isSlim: false },
  dotnet: { image: 'mcr.microsoft.com/dotnet/sdk:9.0', isSlim: false },
  php: { image: 'php:8.4-cli-bookworm', isSlim: false },
  ruby: { image: 'ruby:3.4-bookworm', isSlim: false },
  other: { image: 'debian:bookworm-slim', isSlim: true },
}

/** Lines that install what a service depends on, from the manifests alone; none where there is nothing that says it. */
export function installed({ language, manifests }: Stack): readonly string[] {
  const has = (file: string) => manifests.includes(file)
  if (language === 'node') {
    if (has('package-lock.json') || has('npm-shrinkwrap.json')) return ['RUN npm ci --omit=dev --no-audit --no-fund']
    if (has('pnpm-lock.yaml')) return ['RUN corepack pnpm install --prod --frozen-lockfile']
    if (has('yarn.lock')) return ['RUN corepack yarn install --production --frozen-lockfile']
    return has('package.json') ? ['RUN npm install --omit=dev --no-audit --no-fund'] : []
  }
  if (language === 'python')
    return has('requirements.txt') ? ['RUN pip install --no-cache-dir -r requirements.txt'] : []
  if (language === 'go') return has('go.mod') ? ['RUN go mod download'] : []
  if (language === 'java') return has('pom.xml') ? ['RUN mvn --batch-mode dependency:go-offline'] : []
  if (language === 'ruby') return has('Gemfile') ? ['RUN bundle install'] : []
  return []
}
