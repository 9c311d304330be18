import { expect, it } from 'vitest'
import { OwnService } from '../../kit/config/own-service.ts'
import { behindEntrance } from './entrance.ts'

it('knows the services that requests from outside may be for: those that listen and do not wait for the gateway themselves', () => {
  const service = (more: object = {}) => OwnService.parse({ run: 'serve', ...more })
  const own = {
    shop: service(),
    worker: service({ ready: 'none' }),
    behind: service({ needs: ['gateway'] }),
    further: service({ needs: ['behind'] }),
  }
  const unit = (name: string, needs: readonly string[] = [], replicaOf = name) => ({ name, replicaOf, needs })
  const units = [
    unit('registry'),
    unit('gateway', ['registry']),
    unit('shop', ['registry']),
    unit('shop-2', ['registry'], 'shop'),
    unit('worker'),
    unit('behind', ['gateway']),
    unit('further', ['behind']),
  ]
  expect(behindEntrance(units, own)).toEqual(['shop', 'shop-2'])
})
