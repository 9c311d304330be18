import { AppError } from '../../kit/errors.ts'
import type { Deployment } from './deployment.ts'

/** A name with a tag, as registries take them (OCI distribution specification, without digests). */
const TAGGED =
  /^(?:[a-z0-9.-]+(?::\d{1,5})?\/)?(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*\/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*:[\w][\w.-]{0,127}$/

/** What the platform's image is called where nobody says otherwise. */
export function ownImage(version: string): string {
  return `msvc:${version}`
}

/**
 * Reads the name of an image, whose tag is the version where it has none. Throws AppError `USAGE` for what is no name.
 * @param flag where it was said, for the message
 */
export function readImage(text: string, version: string, flag: string): string {
  const image = /:[^/]*$/.test(text) ? text : `${text}:${version}`
  if (TAGGED.test(image)) return image
  throw new AppError('USAGE', `${flag} wants a name such as registry.example/shop/msvc:1.0, not ${text}`)
}

/** An image's name without its tag, and the tag. @example imageParts('localhost:5000/msvc:1.0') // { name: 'localhost:5000/msvc', tag: '1.0' } */
export function imageParts(image: string): { readonly name: string; readonly tag: string } {
  const at = image.lastIndexOf(':')
  return { name: image.slice(0, at), tag: image.slice(at + 1) }
}

/** The image of a service of the user's: beside the platform's, with the same tag, so that a release has one. */
export function serviceImage({ image, name: project }: Pick<Deployment, 'image' | 'name'>, service: string): string {
  const { name, tag } = imageParts(image)
  return `${name.slice(0, name.lastIndexOf('/') + 1)}${project}-${service}:${tag}`
}
