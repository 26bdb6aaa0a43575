import { AwsProblem } from '#simclouds/aws-json.ts'
import type { Metadata } from './vector-buckets.ts'

type Test = (metadata: Metadata) => boolean

/**
 * A metadata filter (S3 User Guide, "Metadata filtering").
 * @throws {AwsProblem} ValidationException for one that is none, or that names what can not be filtered by.
 */
export function readFilter(filter: unknown, nonFilterable: readonly string[]): Test {
  const fields = Object.entries(objectOf(filter))
  if (fields.length === 0) throw invalid('a filter must not be empty')
  const tests = fields.map(([key, condition]): Test => {
    if (key === '$and' || key === '$or') {
      const parts = listOf(condition).map((each) => readFilter(each, nonFilterable))
      return (metadata) =>
        key === '$and' ? parts.every((test) => test(metadata)) : parts.some((test) => test(metadata))
    }
    if (key.startsWith('$')) throw invalid(`unknown operator ${key}`)
    if (nonFilterable.includes(key)) throw invalid(`no filter may name the non-filterable metadata ${key}`)
    return readCondition(key, condition)
  })
  return (metadata) => tests.every((test) => test(metadata))
}

function readCondition(key: string, condition: unknown): Test {
  if (isPrimitive(condition)) return (metadata) => holds(metadata[key], condition)
  const tests = Object.entries(objectOf(condition)).map(([operator, operand]) => readOperator(operator, operand))
  return (metadata) => tests.every((test) => test(metadata[key]))
}

function readOperator(operator: string, operand: unknown): (value: unknown) => boolean {
  switch (operator) {
    case '$eq':
    case '$ne': {
      if (!isPrimitive(operand)) throw invalid(`${operator} takes text, a number or a boolean`)
      return (value) => holds(value, operand) === (operator === '$eq')
    }
    case '$in':
    case '$nin': {
      const list = listOf(operand)
      if (!list.every(isPrimitive)) throw invalid(`${operator} takes texts, numbers and booleans`)
      return (value) => list.some((each) => holds(value, each)) === (operator === '$in')
    }
    case '$exists':
      if (typeof operand !== 'boolean') throw invalid('$exists takes a boolean')
      return (value) => (value !== undefined) === operand
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      if (typeof operand !== 'number') throw invalid(`${operator} takes a number`)
      return (value) => typeof value === 'number' && compare(operator, value, operand)
    }
    default:
      throw invalid(`unknown operator ${operator}`)
  }
}

function compare(operator: '$gt' | '$gte' | '$lt' | '$lte', value: number, operand: number): boolean {
  if (operator === '$gt') return value > operand
  if (operator === '$gte') return value >= operand
  return operator === '$lt' ? value < operand : value <= operand
}

/** A list holds what one of its elements is. */
function holds(value: unknown, wanted: unknown): boolean {
  return Array.isArray(value) ? value.includes(wanted) : value === wanted
}

function isPrimitive(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function objectOf(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('a filter is an object')
  return value
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid('the operator takes a list that is not empty')
  return value
}

function invalid(message: string): AwsProblem {
  return new AwsProblem('ValidationException', `Invalid query filter: ${message}`)
}
