import { expect, it } from 'vitest'
import { imageParts, readImage, serviceImage } from './image-name.ts'

it.each([
  ['msvc', 'msvc:1.2.3'],
  ['localhost:5000/msvc', 'localhost:5000/msvc:1.2.3'],
  ['registry.example/a/b-c/msvc:v7', 'registry.example/a/b-c/msvc:v7'],
])('%s is %s', (text, image) => expect(readImage(text, '1.2.3', '--image')).toBe(image))

it.each(['', 'Msvc', 'msvc:', 'msvc@sha256:aa', 'a b', '$(x)', '-x', 'http://a/b', 'msvc:1:2'])(
  '%j is no name',
  (text) => expect(() => readImage(text, '1.2.3', '--image')).toThrow(/^--image wants a name such as/),
)

it("puts a service's image beside the platform's", () => {
  expect(serviceImage({ image: 'localhost:5000/a/msvc:7', name: 'shop' }, 'front')).toBe(
    'localhost:5000/a/shop-front:7',
  )
  expect(serviceImage({ image: 'msvc:7', name: 'shop' }, 'front')).toBe('shop-front:7')
  expect(imageParts('localhost:5000/msvc:7')).toEqual({ name: 'localhost:5000/msvc', tag: '7' })
})
