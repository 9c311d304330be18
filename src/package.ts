/**
 * What the package `msvc` offers to services outside of this repository: this list and nothing else. Whoever adds a word promises to keep it.
 * docs/kit.md shows each of them at work.
 */
export type { Migration } from 'kysely/migration'
export type { Store, TransactionOptions } from './drivers/store/contract.ts'
export type { Asker } from './kit/auth/asker.ts'
export { identityOf } from './kit/auth/asker.ts'
export type { Identity } from './kit/auth/identity.ts'
export { type View, viewOf, visibleTo, wantSomebody } from './kit/auth/ownership.ts'
export type { CallOptions, ServiceClient } from './kit/client/service-client.ts'
export type { RemoteConfig } from './kit/config/changing-values.ts'
export { AppError, type AppErrorOptions, type ErrorCode } from './kit/errors.ts'
export type { AppEnv } from './kit/http/app-env.ts'
export { openRoute as route } from './kit/http/route.ts'
export { inboxTables, once } from './kit/messaging/inbox.ts'
export type {
  ConsumeOptions,
  InboxTable,
  IncomingEvent,
  Messaging,
  Outbox,
  OutboxTable,
  OutgoingEvent,
} from './kit/messaging/messaging.ts'
export { outboxTables } from './kit/messaging/outbox.ts'
export { readable } from './kit/messaging/readable.ts'
export type {
  RunningService,
  ServiceContext,
  ServiceDefinition,
  ServiceParts,
  ServiceSettings,
} from './kit/service/definition.ts'
export type { Level, Log, LogEntry, LogSink } from './kit/telemetry/log.ts'
export type { Metrics } from './kit/telemetry/metrics.ts'
export { currentScope, type Scope } from './kit/telemetry/scope.ts'
export { defineService, type Service, type StartOptions } from './service.ts'
