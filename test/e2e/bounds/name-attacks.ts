import type { Attack } from './attack.ts'

const POSTS = 6
const TOPICS = 10_000

/** What is kept by name is bounded, and nobody pays for the names of others. */
export const nameAttacks: readonly Attack[] = [
  {
    name: `${POSTS * TOPICS} topics, and subscriptions to all of them`,
    role: 'broker',
    good: [{ method: 'POST', path: '/broker/publish/usual.topic', body: '1' }, { path: '/livez' }],
    async attack({ post }) {
      for (let made = 0; made < POSTS; made++) {
        const lines = Array.from({ length: TOPICS }, (_, n) => `{"topic":"t.${made}.${n}","payload":1}`)
        await post('/broker/publish', lines.join('\n'))
      }
      const wild = ['>', 't.>', '*.*.*', 't.*.*', 't.1.*', 't.*.1']
      for (const topic of wild) await post('/broker/subscriptions', { topic, group: 'attackers' })
    },
  },
]
