import { z } from 'zod'

const reference = z.looseObject({
  shape: z.string(),
  location: z.string().optional(),
  locationName: z.string().optional(),
})

const shapeSchema = z.looseObject({
  type: z.enum([
    'structure',
    'list',
    'map',
    'string',
    'integer',
    'long',
    'float',
    'double',
    'boolean',
    'blob',
    'timestamp',
  ]),
  required: z.array(z.string()).optional(),
  members: z.record(z.string(), reference).optional(),
  member: reference.optional(),
  value: reference.optional(),
  key: reference.optional(),
  enum: z.array(z.string()).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  pattern: z.string().optional(),
  /** Absent: seconds since 1970, in bodies of JSON. */
  timestampFormat: z.string().optional(),
  union: z.boolean().optional(),
  document: z.boolean().optional(),
  error: z.looseObject({ httpStatusCode: z.number() }).optional(),
})

const modelSchema = z.looseObject({
  operations: z.record(z.string(), z.looseObject({ errors: z.array(reference).optional() })),
  shapes: z.record(z.string(), shapeSchema),
})

/** One shape of a service model. */
export type Shape = z.infer<typeof shapeSchema>

/** The shapes of an AWS service, as botocore carries them. */
export class ServiceModel {
  readonly #shapes: Readonly<Record<string, Shape>>
  readonly #errors: Readonly<Record<string, readonly string[]>>

  constructor(model: unknown) {
    const { shapes, operations } = modelSchema.parse(model)
    this.#shapes = shapes
    const errors = Object.entries(operations).map(([name, operation]) => [name, operation.errors ?? []] as const)
    this.#errors = Object.fromEntries(errors.map(([name, list]) => [name, list.map(({ shape }) => shape)]))
  }

  /** The exceptions that an operation may throw; undefined when there is no such operation. */
  errors(operation: string): readonly string[] | undefined {
    return this.#errors[operation]
  }

  shape(name: string): Shape {
    const shape = this.#shapes[name]
    if (shape === undefined) throw new RangeError(`no shape ${name}`)
    return shape
  }

  /** Everything in which a JSON value differs from a shape, as `path: what`. */
  problems(name: string, value: unknown, path = name): readonly string[] {
    const shape = this.shape(name)
    if (shape.document === true) return []
    switch (shape.type) {
      case 'structure':
        return this.#structure(shape, value, path)
      case 'list':
        return this.#list(shape, value, path)
      case 'map':
        return this.#map(shape, value, path)
      case 'string':
        return text(shape, value, path)
      case 'integer':
      case 'long':
        return Number.isInteger(value) ? range(shape, Number(value), path) : [`${path}: no whole number`]
      case 'float':
      case 'double':
        return typeof value === 'number' ? range(shape, value, path) : [`${path}: no number`]
      case 'boolean':
        return typeof value === 'boolean' ? [] : [`${path}: no boolean`]
      case 'timestamp':
        return typeof value === (shape.timestampFormat === 'iso8601' ? 'string' : 'number') ? [] : [`${path}: no time`]
      case 'blob':
        return typeof value === 'string' ? [] : [`${path}: no text`]
    }
  }

  #structure(shape: Shape, value: unknown, path: string): readonly string[] {
    if (!isObject(value)) return [`${path}: no object`]
    const members = shape.members ?? {}
    const inBody = (name: string) => members[name]?.location === undefined
    const missing = (shape.required ?? []).filter((name) => inBody(name) && value[name] === undefined)
    const present = Object.entries(value)
    const unionProblem =
      shape.union === true && present.length !== 1 ? [`${path}: ${present.length} members in a union`] : []
    return [
      ...missing.map((name) => `${path}.${name}: missing`),
      ...unionProblem,
      ...present.flatMap(([name, inner]) => {
        const member = members[name]
        return member === undefined
          ? [`${path}.${name}: unknown member`]
          : this.problems(member.shape, inner, `${path}.${name}`)
      }),
    ]
  }

  #list(shape: Shape, value: unknown, path: string): readonly string[] {
    if (!Array.isArray(value)) return [`${path}: no list`]
    const items: readonly unknown[] = value
    return [
      ...range(shape, items.length, path),
      ...items.flatMap((item, index) => this.problems(shape.member?.shape ?? '', item, `${path}.${index}`)),
    ]
  }

  #map(shape: Shape, value: unknown, path: string): readonly string[] {
    if (!isObject(value)) return [`${path}: no map`]
    const entries = Object.entries(value)
    return [
      ...range(shape, entries.length, path),
      ...entries.flatMap(([name, inner]) => [
        ...this.problems(shape.key?.shape ?? '', name, `${path} (key)`),
        ...this.problems(shape.value?.shape ?? '', inner, `${path}.${name}`),
      ]),
    ]
  }
}

function text(shape: Shape, value: unknown, path: string): readonly string[] {
  if (typeof value !== 'string') return [`${path}: no text`]
  if (shape.enum !== undefined && !shape.enum.includes(value)) return [`${path}: ${value} is not in the list`]
  // Java's way to write the characters beyond the basic plane.
  const pattern = shape.pattern?.replace(String.raw`\uD800\uDC00-\uDBFF\uDFFF`, String.raw`\uD800-\uDFFF`)
  const isMatch = pattern === undefined || new RegExp(`^(?:${pattern})$`).test(value)
  return [...range(shape, value.length, path), ...(isMatch ? [] : [`${path}: does not match ${shape.pattern}`])]
}

function range(shape: Shape, size: number, path: string): readonly string[] {
  const isInside = size >= (shape.min ?? -Infinity) && size <= (shape.max ?? Infinity)
  return isInside ? [] : [`${path}: ${size} is out of range`]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
