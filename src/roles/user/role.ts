import * as z from 'zod'
import { defineRole } from '../../kit/role.ts'
import { USER_SERVICE } from './contract.ts'
import { type UserTables, userMigrations } from './user-tables.ts'
import { createUsers } from './users.ts'

/** Users (seed 9.7.2). */
export const user = defineRole({
  name: 'user',
  service: USER_SERVICE,
  summary: 'Keeps users',
  port: 8001,
  config: z.strictObject({
    demo_users: z
      .boolean()
      .optional()
      .describe(
        'whether a fresh database begins with john_doe (1) and jane_smith (2); default: in every environment but production',
      ),
  }),
  needs: ['registry'],
  keeps: { migrations: userMigrations(false, '') },
  async start({ config, environment, clock, store }) {
    const demoUsers = config.demo_users ?? environment !== 'production'
    const migrations = userMigrations(demoUsers, new Date(clock.now()).toISOString())
    const { userRoutes } = await import('./routes.ts')
    return { app: userRoutes(createUsers(await store<UserTables>(migrations), clock)) }
  },
})
