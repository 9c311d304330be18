import type { Derived } from '../../kit/config/load.ts'
import type { OwnServices } from '../../kit/config/own-service.ts'

/** The routes of users' own services, as the gateway's section has them: each under its service's name. */
export function ownServiceRoutes(services: OwnServices): readonly Derived[] {
  return Object.entries(services).flatMap(([name, { route }]): readonly Derived[] => {
    if (!route) return []
    const { path: prefix, methods, strip, limit } = route
    const value = {
      prefix,
      upstream: name,
      methods,
      ...(strip && { strip_prefix: prefix }),
      ...(limit && { read_limit: limit, write_limit: limit }),
    }
    return [{ path: ['gateway', 'routes', name], value, origin: ['services', name, 'route'] }]
  })
}
