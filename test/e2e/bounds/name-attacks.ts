import type { Attack, Victim } from './attack.ts'

const POSTS = 6
const MESSAGES = 10_000

/** Publishes as much as a few requests hold. */
export async function publish({ post }: Victim, topicOf: (n: number) => string, posts = POSTS): Promise<void> {
  for (let sent = 0; sent < posts * MESSAGES; sent += MESSAGES) {
    const lines = Array.from({ length: MESSAGES }, (_, n) => `{"topic":"${topicOf(sent + n)}","payload":1}`)
    await post('/broker/publish', lines.join('\n'))
  }
}

/** What is kept by name is bounded, and nobody pays for the names of others. */
export const nameAttacks: readonly Attack[] = [
  {
    name: `${POSTS * MESSAGES} topics, and subscriptions to all of them`,
    role: 'broker',
    good: [{ method: 'POST', path: '/broker/publish/usual.topic', body: '1' }, { path: '/livez' }],
    harmless: (victim) => publish(victim, () => 'usual.topic'),
    async attack(victim) {
      await publish(victim, (n) => `t.${n}.x`)
      const wild = ['>', 't.>', '*.*.*', 't.*.*', 't.1.*', 't.*.x']
      for (const topic of wild) await victim.post('/broker/subscriptions', { topic, group: 'attackers' })
    },
  },
]
