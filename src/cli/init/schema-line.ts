/**
 * The line by which a `msvc.yaml` names its schema, as what `msvc schema` prints is called in the examples; it is to be the first one
 * (https://github.com/redhat-developer/yaml-language-server#using-inlined-schema).
 */
export const SCHEMA_LINE = '# yaml-language-server: $schema=./msvc.schema.json'
